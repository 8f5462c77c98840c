// See xrt_device.h.
#pragma once

#include <chrono>
#include <map>
#include <type_traits>

#include "xrt_bo.h"

enum ert_cmd_state { ERT_CMD_STATE_NEW = 1, ERT_CMD_STATE_COMPLETED = 4, ERT_CMD_STATE_TIMEOUT = 8 };

namespace xrt {

class kernel {
 public:
  enum class cu_access_mode : uint8_t { exclusive, shared, none };

  kernel(const device&, const uuid&, const std::string& name, cu_access_mode mode = cu_access_mode::shared) : mode(mode) {
    if (name.empty()) throw std::runtime_error("a kernel without a name");
  }
  uint32_t group_id(int argument) const { return static_cast<uint32_t>(argument); }
  uint32_t read_register(uint32_t offset) const {
    if (mode != cu_access_mode::exclusive) throw std::runtime_error("registers of a shared kernel");
    std::ifstream file(stand_in("registers"));
    for (uint32_t at, word; file >> at >> word;)
      if (at == offset) return word;
    return 0;
  }
  void write_register(uint32_t offset, uint32_t) { read_register(offset); }

  cu_access_mode mode;
};

class run {
 public:
  explicit run(const kernel&) {}

  void set_arg(int index, const bo& buffer) {
    if (buffer.group != static_cast<uint32_t>(index)) throw std::runtime_error("a buffer in the memory of another argument");
    buffers.insert({index, buffer});
  }
  template <class Word, class = std::enable_if_t<std::is_integral<Word>::value>>
  void set_arg(int index, const Word& word) {
    static_assert(sizeof(Word) == 4, "arguments are words of 32 bits");
    words[index] = word;
  }
  void start() {
    std::ofstream arguments(stand_in("arguments"));
    for (const auto& [index, word] : words) arguments << index << " " << word << "\n";
    for (auto& [index, buffer] : buffers) {
      auto& card = buffer.memory->card;
      std::ifstream out(stand_in(std::to_string(index) + ".out"), std::ios::binary);
      if (out) {
        const std::vector<char> bytes{std::istreambuf_iterator<char>(out), {}};
        if (bytes.size() != card.size()) throw std::runtime_error("an output of another size");
        card = bytes;
      } else {
        std::ofstream(stand_in(std::to_string(index) + ".in"), std::ios::binary).write(card.data(), static_cast<long>(card.size()));
      }
    }
    started = true;
  }
  ert_cmd_state wait(const std::chrono::milliseconds&) const { return started ? ERT_CMD_STATE_COMPLETED : ERT_CMD_STATE_NEW; }

 private:
  std::map<int, bo> buffers;
  std::map<int, uint32_t> words;
  bool started = false;
};

}  // namespace xrt

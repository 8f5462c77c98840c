// Tensors, their files (.npy), and their beats in memory: lane 0 in the lowest bits of a beat, each beat in a power of two of bytes.

#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bitlathe {

struct Tensor {
  std::vector<uint64_t> shape;
  std::vector<int64_t> data;
};

using Tensors = std::map<std::string, Tensor>;
// Sizes of a job by name.
using Sizes = std::map<std::string, uint64_t>;

// In place of an index: padding.
constexpr uint64_t PAD = UINT64_MAX;

inline uint64_t ceil_div(uint64_t n, uint64_t by) { return (n + by - 1) / by; }

// Tiles of keys that a block of rows sees, under a causal mask or without it.
inline uint64_t seen(uint64_t masked, uint64_t block, uint64_t rows, uint64_t queries, uint64_t keys, uint64_t by) {
  queries = queries < 1 ? 1 : queries;
  const uint64_t below = block * rows % queries + rows;
  // A block that reaches a head's last query sees every key.
  if (!masked || below >= queries) return ceil_div(keys, by);
  return ceil_div(below + keys > queries ? below + keys - queries : 0, by);
}

inline uint64_t elements(const std::vector<uint64_t>& shape) {
  uint64_t n = 1;
  for (uint64_t extent : shape) n *= extent;
  return n;
}

// How lanes lie in a beat. A code stands for `group` elements from `low` on, the first counting fastest; without one a lane is its element.
struct Lanes {
  uint64_t beat_bytes;
  unsigned bits;
  unsigned group;
  bool is_signed;
  int64_t low, high;
  const std::vector<uint64_t>* code;

  uint64_t encode(const std::vector<int64_t>& values) const {
    if (!code) return static_cast<uint64_t>(values[0]);
    uint64_t number = 0, weight = 1;
    for (int64_t value : values) {
      number += static_cast<uint64_t>(value - low) * weight;
      weight *= static_cast<uint64_t>(high - low + 1);
    }
    return code->at(number);
  }
};

// The beats of a walk: `walk(visit)` calls visit(beat, lane, element of the lane, index into the tensor or PAD).
template <class Walk>
std::vector<uint8_t> pack(const Lanes& lanes, uint64_t beats, const Tensor& tensor, Walk walk) {
  std::vector<uint8_t> out(beats * lanes.beat_bytes);
  std::vector<int64_t> group(lanes.group);
  walk([&](uint64_t beat, uint64_t lane, unsigned element, uint64_t index) {
    group[element] = index == PAD ? 0 : tensor.data[index];
    if (element + 1 < lanes.group) return;
    const uint64_t value = lanes.encode(group);
    const uint64_t first = beat * lanes.beat_bytes * 8 + lane * lanes.bits;
    for (unsigned bit = 0; bit < lanes.bits; ++bit) out[(first + bit) / 8] |= (value >> bit & 1) << (first + bit) % 8;
  });
  return out;
}

// The tensor that beats make; where a walk comes to an element twice, the later beat counts.
template <class Walk>
Tensor unpack(const Lanes& lanes, const std::vector<uint64_t>& shape, const std::vector<uint8_t>& beats, Walk walk) {
  Tensor tensor{shape, std::vector<int64_t>(elements(shape))};
  walk([&](uint64_t beat, uint64_t lane, unsigned, uint64_t index) {
    if (index == PAD) return;
    const uint64_t first = beat * lanes.beat_bytes * 8 + lane * lanes.bits;
    uint64_t value = 0;
    for (unsigned bit = 0; bit < lanes.bits; ++bit) value |= uint64_t(beats[(first + bit) / 8] >> (first + bit) % 8 & 1) << bit;
    const unsigned above = 64 - lanes.bits;
    tensor.data[index] = lanes.is_signed ? static_cast<int64_t>(value << above) >> above : static_cast<int64_t>(value);
  });
  return tensor;
}

inline bool exists(const std::string& path) { return std::ifstream(path).good(); }

// Integers of a .npy file of version 1.
inline Tensor read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string head(10, '\0');
  if (!file.read(&head[0], 10) || head.compare(0, 6, "\x93NUMPY") != 0 || head[6] != 1)
    throw std::runtime_error(path + " is no .npy file of version 1");
  std::string text(static_cast<uint8_t>(head[8]) + 256u * static_cast<uint8_t>(head[9]), '\0');
  file.read(&text[0], text.size());
  const size_t descr = text.find("'descr': '"), shape = text.find("'shape': (");
  if (descr == std::string::npos || shape == std::string::npos || text.find("'fortran_order': False") == std::string::npos)
    throw std::runtime_error(path + " has a header that is not understood");
  const char kind = text[descr + 11];
  const unsigned bytes = text[descr + 12] - '0';
  if ((kind != 'i' && kind != 'u') || text[descr + 10] == '>' || bytes > 8) throw std::runtime_error(path + " holds no little-endian integers");
  Tensor tensor;
  uint64_t number = 0;
  bool digits = false;
  for (size_t at = shape + 10; at < text.size(); ++at) {
    if (text[at] >= '0' && text[at] <= '9') {
      number = 10 * number + (text[at] - '0');
      digits = true;
    } else {
      if (digits) tensor.shape.push_back(number);
      number = 0;
      digits = false;
      if (text[at] == ')') break;
    }
  }
  for (uint64_t n = elements(tensor.shape); n > 0; --n) {
    char raw[8] = {};
    if (!file.read(raw, bytes)) throw std::runtime_error(path + " is cut off");
    uint64_t value = 0;
    for (unsigned byte = 0; byte < bytes; ++byte) value |= uint64_t(static_cast<uint8_t>(raw[byte])) << 8 * byte;
    const unsigned above = 64 - 8 * bytes;
    tensor.data.push_back(kind == 'i' ? static_cast<int64_t>(value << above) >> above : static_cast<int64_t>(value));
  }
  return tensor;
}

// `type` as numpy has it, such as <i4.
inline void write_npy(const std::string& path, const std::string& type, const Tensor& tensor) {
  std::string text = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (";
  for (uint64_t extent : tensor.shape) text += std::to_string(extent) + ", ";
  text += "), }";
  text += std::string(63 - (10 + text.size()) % 64, ' ') + "\n";
  std::ofstream file(path, std::ios::binary);
  file << "\x93NUMPY" << '\1' << '\0' << static_cast<char>(text.size() & 255) << static_cast<char>(text.size() >> 8) << text;
  for (int64_t value : tensor.data)
    for (int byte = 0; byte < type[2] - '0'; ++byte) file.put(static_cast<char>(value >> 8 * byte));
  if (!file) throw std::runtime_error("cannot write " + path);
}

}  // namespace bitlathe

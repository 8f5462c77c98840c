// See xrt_device.h.
#pragma once

#include "xrt_device.h"

enum xclBOSyncDirection { XCL_BO_SYNC_BO_TO_DEVICE, XCL_BO_SYNC_BO_FROM_DEVICE };

namespace xrt {

class bo {
 public:
  struct Memory {
    std::vector<char> host, card;
  };

  bo(const device&, size_t size, uint32_t group) : memory(std::make_shared<Memory>()), group(group) {
    if (size == 0) throw std::runtime_error("a buffer of no bytes");
    memory->host.resize(size);
    memory->card.resize(size);
  }
  size_t size() const { return memory->host.size(); }
  void write(const void* from) { memory->host.assign(static_cast<const char*>(from), static_cast<const char*>(from) + size()); }
  void read(void* to) const { std::copy(memory->host.begin(), memory->host.end(), static_cast<char*>(to)); }
  void sync(xclBOSyncDirection way) {
    if (way == XCL_BO_SYNC_BO_TO_DEVICE) memory->card = memory->host;
    else memory->host = memory->card;
  }

  std::shared_ptr<Memory> memory;
  uint32_t group;
};

}  // namespace xrt

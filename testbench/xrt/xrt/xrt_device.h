// A stand-in for XRT's native C++ API, as far as hosts of kernels use it. The card is the folder in XRT_STAND_IN: `registers` holds
// words by offset; a buffer argument N is filled from `N.out` where a job starts and there is such a file, else written to `N.in`;
// words go to `arguments`. Names and signatures are those of XRT's documentation.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace xrt {

inline std::string stand_in(const std::string& name) {
  const char* folder = std::getenv("XRT_STAND_IN");
  if (!folder) throw std::runtime_error("XRT_STAND_IN names no folder");
  return std::string(folder) + "/" + name;
}

class uuid {};

class device {
 public:
  explicit device(unsigned index) {
    if (index != 0) throw std::runtime_error("there is one card");
  }
  uuid load_xclbin(const std::string& path) {
    if (!std::ifstream(path)) throw std::runtime_error("there is no " + path);
    return {};
  }
};

}  // namespace xrt

#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

/// @file
/// A kernel that takes time and no processor.

namespace support {

/// Sleeps for `each` at every index, and gives the index: the pieces are small, so cancelling is quick.
inline auto slow(std::chrono::microseconds each)
{
  return [each](std::uint64_t i) -> std::uint64_t {
    std::this_thread::sleep_for(each);
    return i;
  };
}

}  // namespace support

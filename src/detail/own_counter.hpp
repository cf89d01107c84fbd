#pragma once

#include <atomic>
#include <cstdint>

/// @file
/// Counters of one thread that others may look at.

namespace fastgpu::inline v0::detail {

/// Adding costs what it costs without threads.
///
/// @par Threads  One adds, any read.
class own_counter {
 public:
  void add(std::uint64_t more) noexcept { count_.store(read() + more, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t read() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> count_ = 0;
};

}  // namespace fastgpu::inline v0::detail

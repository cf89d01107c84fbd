#pragma once

#include <cstdint>

#include <fastgpu/seconds.hpp>

/// @file
/// How much one sender's payloads were, and how long they took to go.

namespace fastgpu::inline v0::detail {

/// Of one direction. Times in which several payloads are under way count once.
///
/// @par Threads  Single-threaded.
class transfer_meter {
 public:
  /// A payload's first piece goes.
  void began(seconds now) noexcept
  {
    if (open_++ == 0) since_s_ = now.count;
  }
  void went(std::uint64_t bytes) noexcept { bytes_ += bytes; }
  /// All of it has gone.
  void ended(seconds now) noexcept
  {
    if (open_ > 0 && --open_ == 0) total_s_ += now.count - since_s_;
  }
  /// Nothing that is under way will end: its session is over.
  void cut(seconds now) noexcept
  {
    if (open_ > 0) total_s_ += now.count - since_s_;
    open_ = 0;
  }

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// Seconds in which any was under way, until now.
  [[nodiscard]] double under_way_s(seconds now) const noexcept
  {
    return total_s_ + (open_ > 0 ? now.count - since_s_ : 0);
  }

 private:
  std::uint64_t bytes_ = 0;
  std::uint64_t open_ = 0;  // payloads
  double since_s_ = 0;
  double total_s_ = 0;
};

}  // namespace fastgpu::inline v0::detail

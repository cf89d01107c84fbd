#pragma once

#include <fastgpu/seconds.hpp>

/// @file
/// The failure detector: how long nothing has been heard of a peer, and what that means.

namespace fastgpu::inline v0::detail {

/// Fixed limits, which can be tested; limits that follow a link's jitter may come on top, never below.
///
/// @par Threads  Single-threaded.
class failure_detector {
 public:
  enum class verdict { alive, suspect, dead };

  /// @pre  0 < suspect_after <= dead_after.
  failure_detector(seconds suspect_after, seconds dead_after, seconds now);

  /// Anything came of the peer.
  void heard(seconds now) noexcept { heard_s_ = now.count; }

  [[nodiscard]] verdict judge(seconds now) const noexcept;

  /// When the verdict becomes that, unless something is heard before.
  [[nodiscard]] seconds suspect_at() const noexcept { return seconds{heard_s_ + suspect_after_s_}; }
  [[nodiscard]] seconds dead_at() const noexcept { return seconds{heard_s_ + dead_after_s_}; }

 private:
  double suspect_after_s_;
  double dead_after_s_;
  double heard_s_;
};

}  // namespace fastgpu::inline v0::detail

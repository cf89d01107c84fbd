#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include <fastgpu/seconds.hpp>

/// @file
/// Few lines for what strangers can cause as often as they like.

namespace fastgpu::inline v0::detail {

class log_limiter {
 public:
  /// Whether a line may be written now; `line` gets the number of those that were not.
  [[nodiscard]] bool admit(std::string& line, seconds now)
  {
    tokens_ = std::min(burst, tokens_ + (now.count - last_.count) * per_second);
    last_ = now;
    if (tokens_ < 1) {
      ++kept_back_;
      return false;
    }
    tokens_ -= 1;
    if (kept_back_ > 0) line += " (and " + std::to_string(kept_back_) + " others before)";
    kept_back_ = 0;
    return true;
  }

 private:
  static constexpr double burst = 10;
  static constexpr double per_second = 0.2;

  double tokens_ = burst;
  seconds last_{};
  std::uint64_t kept_back_ = 0;
};

}  // namespace fastgpu::inline v0::detail

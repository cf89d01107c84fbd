#pragma once

/// @file
/// A span of time. Takes any std::chrono::duration without including <chrono>, which would double the time
/// that a program with one reduce() takes to compile.

namespace fastgpu::inline v0 {

/// A duration in seconds.
struct seconds {
  double count = 0;

  constexpr seconds() = default;
  constexpr explicit seconds(double value) : count{value} {}

  /// From a std::chrono::duration.
  template <class Duration>
    requires requires(Duration d) {
      d.count();
      Duration::period::num;
      Duration::period::den;
    }
  constexpr seconds(Duration d)  // NOLINT: implicit, as between chrono's own durations
      : count{static_cast<double>(d.count()) * static_cast<double>(Duration::period::num) /
              static_cast<double>(Duration::period::den)}
  {
  }

  friend constexpr bool operator==(seconds, seconds) = default;
};

}  // namespace fastgpu::inline v0

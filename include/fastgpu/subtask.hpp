#pragma once

#include <compare>
#include <cstdint>

/// @file
/// Subtasks are known by number; runs of them are half-open intervals.

namespace fastgpu::inline v0 {

/// A run of consecutive subtasks, [begin, end).
struct interval {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  [[nodiscard]] constexpr std::uint32_t size() const noexcept { return end - begin; }
  [[nodiscard]] constexpr bool empty() const noexcept { return begin >= end; }
  friend constexpr auto operator<=>(const interval&, const interval&) = default;
};

}  // namespace fastgpu::inline v0

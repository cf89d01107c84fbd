#pragma once

#include <compare>
#include <cstdint>

/// @file
/// Identifiers. Each is a type of its own, so that two of them cannot be swapped.

namespace fastgpu::inline v0 {

/// Position of a device in its cluster's list, from 0.
struct device_id {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(const device_id&, const device_id&) = default;
};

/// Position of a node in its cluster's list; 0 is this process.
struct node_id {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(const node_id&, const node_id&) = default;
};

}  // namespace fastgpu::inline v0

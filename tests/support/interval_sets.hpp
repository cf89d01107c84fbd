#pragma once

#include <vector>

#include "detail/interval_set.hpp"

/// @file
/// Sets of subtasks, written down as lists.

namespace support {

/// @pre `parts` are disjoint.
inline fastgpu::detail::interval_set set_of(const std::vector<fastgpu::interval>& parts)
{
  fastgpu::detail::interval_set set;
  for (const auto& part : parts) set.insert(part);
  return set;
}

}  // namespace support

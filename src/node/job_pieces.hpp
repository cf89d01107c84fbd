#pragma once

#include <cstdint>
#include <vector>

#include <fastgpu/detail/program.hpp>

#include "detail/interval_set.hpp"
#include "net/messages.hpp"

/// @file
/// Which of a job's data a node needs for the subtasks it is granted, and their bytes.

namespace fastgpu::inline v0::detail {

/// The boxes of slices that `range` needs and the node has not got, each of `bytes_max` at most where an element allows
/// it. None overlaps another, nor what was sent for `sent`, which `range` is then a part of. Job numbers are left to the
/// caller.
///
/// @param sent  Subtasks whose data this node has: what this function was called with for it before.
/// @par Cost    O(intervals of `sent`) boxes are looked at where slices have a halo.
[[nodiscard]] std::vector<job_data_piece> pieces_for(const job_data& job, interval range, interval_set& sent,
                                                     std::uint64_t bytes_max = 4 << 20);

/// All of a broadcast, for nodes that miss it.
[[nodiscard]] job_data_piece whole_piece(const job_data& job, std::uint32_t argument);

/// The bytes of a piece that one of these functions gave, from the user's memory.
[[nodiscard]] payload pack_piece(const job_data& job, const job_data_piece& piece);

}  // namespace fastgpu::inline v0::detail

#pragma once

#include <cstddef>
#include <memory>

#include <fastgpu/result.hpp>

#include "aggregate/partial.hpp"
#include "detail/interval_set.hpp"
#include "net/messages.hpp"

/// @file
/// A sealed partial on its way from a node to the coordinator: values, and the blocks of gather() arguments. Both know
/// the fold-set, so nothing is said of where blocks lie.

namespace fastgpu::inline v0::detail {

/// Values and blocks as bytes, for a process of the same build.
/// @pre  `sealed` is not empty, and all that it folded has been written to the job's outputs.
[[nodiscard]] payload pack_partial(const job_data& job, partial& sealed);

/// A partial that came from a node.
struct arrived_partial {
  std::unique_ptr<partial> values;  ///< To be absorbed.
  payload bytes;
  std::size_t blocks_at = 0;  ///< Where the blocks begin in them.
};

/// Takes a partial apart and checks it: all that can be, so that what follows cannot fail.
///
/// @param memory    For the values.
/// @param fold_set  As the node named it.
/// @return          errc::protocol_error where it is empty or not made of whole spans of the job, or the bytes are none
///                  of a partial with it.
/// @throws std::bad_alloc
[[nodiscard]] result<arrived_partial> unpack_partial(const job_data& job, fold_kind fold, memory_source& memory,
                                                     interval_set fold_set, payload bytes);

/// Copies the blocks to the user's memory.
void commit_blocks(const job_data& job, const arrived_partial& from) noexcept;

}  // namespace fastgpu::inline v0::detail

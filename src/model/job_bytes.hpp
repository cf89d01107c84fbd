#pragma once

#include <cstdint>

#include <fastgpu/detail/program.hpp>
#include <fastgpu/model/prediction.hpp>

/// @file
/// How many subtasks the model counts in a job, and which bytes they need and give.

namespace fastgpu::inline v0::detail {

/// Where an ordered reduction takes subtasks together, as spans, a span is what the model calls a subtask.
[[nodiscard]] inline std::uint64_t modelled_subtasks(const space_shape& shape)
{
  const auto span = std::uint64_t{1} << shape.span_log2;
  return (shape.count + span - 1) / span;
}

/// @pre  profile.subtasks > 0
void add_bytes(job_profile& profile, const job_data& job);

}  // namespace fastgpu::inline v0::detail

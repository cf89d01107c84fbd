#pragma once

#include <fastgpu/detail/program.hpp>
#include <fastgpu/observe/summary.hpp>

/// @file
/// How a job's values are folded in a mode of reduction.

namespace fastgpu::inline v0::detail {

/// @throws error  errc::unsupported_reduction
[[nodiscard]] fold_kind choose_fold(const job_data& job, reduction mode);

}  // namespace fastgpu::inline v0::detail

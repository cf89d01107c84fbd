#pragma once

#include <optional>
#include <string>
#include <vector>

#include <fastgpu/assign/placement.hpp>
#include <fastgpu/detail/program.hpp>
#include <fastgpu/device/device_info.hpp>
#include <fastgpu/model/prediction.hpp>

/// @file
/// What a run will take, as far as earlier runs tell.

namespace fastgpu::inline v0::detail {

struct forecast {
  std::optional<prediction> predicted;
  std::string why_not;  ///< Where there is none.
};

/// All subtasks are taken to be alike: only the mean is known. A device's speed is that of all its workers together,
/// with what its batches took and what its workers waited for each other while it was measured.
///
/// @param where    Each device that it names is taken to work to the end, whatever it starts with.
/// @param devices  With their speeds at the job's kernel; a placement's device_id is an index into them.
/// @throws error   errc::invalid_argument: which number of `how`, and what was expected.
/// @par Threads    Pure: callable from any thread.
[[nodiscard]] forecast forecast_of(const job_data& job, const placement& where, const std::vector<device_info>& devices,
                                   const predict_options& how);

}  // namespace fastgpu::inline v0::detail

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <fastgpu/assign/placement.hpp>
#include <fastgpu/decompose/subtasks.hpp>
#include <fastgpu/device/device_info.hpp>

/// @file
/// What policies have in common, and what a placement tells of the one that made it.

namespace fastgpu::inline v0::detail {

/// A table for the job, without entries.
[[nodiscard]] placement empty_table(const subtask_list& subtasks, const char* policy);

/// The first subtask that has `cost` or more before it.
[[nodiscard]] std::uint32_t subtask_at_cost(const subtask_list& subtasks, double cost);

/// Measured speeds; where some devices have none, what their workers would make at the others' mean speed.
[[nodiscard]] std::vector<double> speeds_of(std::span<const device_info> devices);

/// Whether what devices hold of other runs comes first.
enum class held { counts, is_left_out };

/// Contiguous shares in the devices' order, with which the last device is done as early as whole spans allow, and which
/// are else in proportion to the speeds.
[[nodiscard]] placement place_whole(const subtask_list& subtasks, std::span<const device_info> devices,
                                    const char* policy, held load);

/// Iteration indices of all subtasks.
[[nodiscard]] double indices_of(const subtask_list& subtasks);

/// Of the subtasks, 0 to 1, those that a measured speed has chosen the device of: a time is predicted for it.
[[nodiscard]] double measured_share(const placement& table);

}  // namespace fastgpu::inline v0::detail

#pragma once

#include <span>

#include <fastgpu/assign/placement.hpp>
#include <fastgpu/detail/program.hpp>
#include <fastgpu/device/device_info.hpp>
#include <fastgpu/execute/execute.hpp>

/// @file
/// Whether a placement that the user gives can be run.

namespace fastgpu::inline v0::detail {

/// A placement is someone's data: it may be for another job, or for devices that are gone, and edited.
///
/// @param devices  Those that there are now, nodes' behind this process's own.
/// @throws error   errc::placement_mismatch, errc::kernel_not_registered, errc::no_usable_device
void check_placement(const placement& table, const job_data& job, fold_kind fold, std::span<const device_info> devices,
                     const run_options& options);

}  // namespace fastgpu::inline v0::detail

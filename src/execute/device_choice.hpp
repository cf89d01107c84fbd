#pragma once

#include <vector>

#include <fastgpu/detail/program.hpp>
#include <fastgpu/device/device_info.hpp>
#include <fastgpu/execute/execute.hpp>

/// @file
/// Which of a cluster's devices take part in a run.

namespace fastgpu::inline v0::detail {

/// The devices that can run the job: their back end has an entry for its program, and reaches its data. Where the user
/// named no devices, GPUs that can do it do it alone: cores are for programs that no GPU runs.
///
/// @param by_name  The user named the devices: each must be able.
/// @throws error   errc::kernel_not_registered, errc::no_usable_device
[[nodiscard]] std::vector<device_info> able_devices(std::vector<device_info> devices, const job_data& job, bool by_name);

/// Of devices that round differently, the class with most strength; all of them where that does not matter.
[[nodiscard]] std::vector<device_info> of_one_class(std::vector<device_info> devices, const job_data& job,
                                                    fold_kind fold, const run_options& options);

}  // namespace fastgpu::inline v0::detail

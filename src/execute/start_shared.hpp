#pragma once

#include <vector>

#include <fastgpu/execute/execute.hpp>

#include "cluster/cluster_core.hpp"
#include "execute/run_state.hpp"

/// @file
/// Starting a run that this process shares with nodes.

namespace fastgpu::inline v0::detail {

/// The devices, of nodes too, that a placement for the job would be made over.
///
/// @param all  All devices that there are, as of describe_all().
[[nodiscard]] std::vector<device_info> choose_shared(const cluster_core& core, std::vector<device_info> all,
                                                     const job_data& job, fold_kind fold, const run_options& options);

/// @param given    Or null.
/// @param started  When the user asked for it: deadlines count from here.
/// @pre  The job has subtasks, and why_not_remote() has nothing against it.
[[nodiscard]] ref<run_core> start_shared(const ref<cluster_core>& core, const ref<const job_storage>& job,
                                         const placement* given, const run_options& options, fold_kind fold,
                                         steady_clock::time_point started);

}  // namespace fastgpu::inline v0::detail

#pragma once

#include <cstdint>

#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/detail/program.hpp>
#include <fastgpu/detail/ref.hpp>
#include <fastgpu/ids.hpp>
#include <fastgpu/job.hpp>
#include <fastgpu/model/prediction.hpp>
#include <fastgpu/observe/summary.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// What a job's subtasks take, by running some of them.

namespace fastgpu::inline v0 {

struct measure_options {
  /// Subtasks to run, at most: a quarter of the job, more where they differ much; some neighbours at a time, at random
  /// places all over it.
  std::uint32_t samples = 10'000;
  seconds budget{1.0};          ///< No more are begun after so long.
  fastgpu::reduction reduction = fastgpu::reduction::ordered;
  device_id device{0};          ///< Of the cluster's own; all its workers run some.
};

namespace detail {
FASTGPU_API job_profile measure(const ref<cluster_core>& core, const ref<const job_storage>& job,
                                const measure_options& options);
}

/// The job's profile. Times are those of one of the device's workers while the others work as well. The subtasks that are
/// run write their outputs; their values are dropped. Where an ordered reduction takes subtasks together, as spans, a
/// span is what the profile calls a subtask.
///
/// @throws error  errc::no_usable_device where the cluster has no such device of its own, errc::unsupported_reduction,
///                errc::invalid_argument, or what a kernel failed with.
/// @par Threads   As execute().
template <class Value, int N>
[[nodiscard]] job_profile measure(const cluster& on, const job<Value, N>& what, const measure_options& options = {})
{
  return detail::measure(on.core(), what.storage(), options);
}

/// How long the job would take on `there`, after running some of its subtasks here.
template <class Value, int N>
[[nodiscard]] prediction predict(const cluster& here, const job<Value, N>& what, const cluster_model& there,
                                 const measure_options& options = {})
{
  return predict(measure(here, what, options), there);
}

}  // namespace fastgpu::inline v0

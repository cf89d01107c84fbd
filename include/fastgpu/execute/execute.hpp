#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <fastgpu/assign/policy.hpp>
#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/config.hpp>
#include <fastgpu/execute/file_name.hpp>
#include <fastgpu/job.hpp>
#include <fastgpu/model/prediction.hpp>
#include <fastgpu/run.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// Execute stage: starting a run.

namespace fastgpu::inline v0 {

/// How batches are cut from a device's range. Never changes an answer. Always whole spans, at least one.
struct batching {
  enum class kind : std::uint8_t {
    fixed,     ///< `size` subtasks.
    guided,    ///< Half of what the worker has left, `size` at least.
    adaptive,  ///< By measurement: about `target` each, longer while much is left; at most an eighth of that.
  };
  kind how = kind::adaptive;
  std::uint32_t size = 1;
  seconds target{50e-6};

  static constexpr batching fixed(std::uint32_t subtasks) { return {kind::fixed, subtasks, seconds{}}; }
  static constexpr batching guided(std::uint32_t at_least = 1) { return {kind::guided, at_least, seconds{}}; }
  static constexpr batching adaptive(seconds target = seconds{50e-6}) { return {kind::adaptive, 1, target}; }
};

/// How a run is carried out. Nothing here changes an answer, but `reduction`.
struct run_options {
  fastgpu::reduction reduction = fastgpu::reduction::ordered;
  assignment_policy policy = by_speed{};  ///< Where no placement is given.
  requirements need{};                    ///< Where no placement is given.
  batching batches{};
  std::int32_t priority = 0;  ///< Of several runs over one cluster the one with more goes first.
  seconds deadline{};         ///< From the start; 0: none.
  seconds seal_every{2.0};    ///< Partials are committed at this interval; 0: only at the end.
  /// A worker process that is at one batch for longer is killed and started anew; after three attempts the run fails and
  /// names the subtask. 0: batches take as long as they want. It holds where subtasks run in worker processes: on nodes,
  /// and with cluster_options::isolate. A kernel within this process cannot be stopped.
  seconds subtask_timeout{};
  bool mix_numeric_classes = false;  ///< Let an ordered floating-point reduction use devices that round differently.
  /// Say before the run how long it will take; summary and trace hold it against what it took. It takes the speeds at
  /// which each device of the placement has run the kernel before, in this cluster or in the history that it was given
  /// (cluster_options::history): where one is missing the summary says so instead. Without: nothing of this is done.
  std::optional<predict_options> predict{};
  bool trace = false;                                       ///< Record what happens when; see run::trace_json().
  std::uint64_t forest_bytes_max = std::uint64_t{1} << 30;  ///< Bound of an ordered reduction's partials.
  /// A file of what is committed, from which the run goes on if it is there; it stays when the run is done, so that the
  /// value is there again at once. Empty: none. Of one job, its inputs, and one build of the program: anything else is
  /// errc::checkpoint_error. The kernel has a registered name, as for nodes.
  file_name checkpoint{};
};

namespace detail {
FASTGPU_API ref<run_core> start_run(const ref<cluster_core>& core, const ref<const job_storage>& job,
                                    const placement* given, const run_options& options);

/// Starts a run and waits for it: the calling thread may work on it from the first moment.
FASTGPU_API ref<run_core> run_to_end(const ref<cluster_core>& core, const ref<const job_storage>& job,
                                     const run_options& options);

FASTGPU_API std::vector<device_info> devices_for(const ref<cluster_core>& core, const job_storage& job,
                                                 const run_options& options);

template <class Value, int N>
value<Value> run_to_end(cluster& on, const job<Value, N>& what, const run_options& options = {})
{
  return outcome<Value>{*run_to_end(on.core(), what.storage(), options)}.get();
}
}  // namespace detail

/// The devices that execute() would make a placement over: those that meet the requirements and have an entry for the
/// kernel; of a cluster that was not told its devices, GPUs alone where one has; and where an ordered reduction depends
/// on it, those of one numeric class, the one with most workers or speed.
/// @throws error  errc::no_matching_device, errc::kernel_not_registered, errc::no_usable_device,
///                errc::unsupported_reduction
template <class Value, int N>
[[nodiscard]] std::vector<device_info> devices_for(const cluster& on, const job<Value, N>& what,
                                                   const run_options& options = {})
{
  return detail::devices_for(on.core(), *what.storage(), options);
}

/// Starts a run and returns at once.
///
/// @param table   Where subtasks start; from assign(), or edited.
/// @throws error  errc::placement_mismatch where `table` is for another job's shape, leaves subtasks out, gives some
///                twice, or names a device that is not there. errc::unsupported_reduction, errc::partial_too_large,
///                errc::kernel_not_registered. errc::checkpoint_error. errc::invalid_argument for a negative time or
///                rate in the options.
template <class Value, int N>
[[nodiscard]] run<Value> execute(cluster& on, const job<Value, N>& what, const placement& table,
                                 const run_options& options = {})
{
  return run<Value>{detail::start_run(on.core(), what.storage(), &table, options)};
}

/// The same; the placement is made from `options`, over devices_for() the job.
/// @throws error  also what devices_for() throws
template <class Value, int N>
[[nodiscard]] run<Value> execute(cluster& on, const job<Value, N>& what, const run_options& options = {})
{
  return run<Value>{detail::start_run(on.core(), what.storage(), nullptr, options)};
}

}  // namespace fastgpu::inline v0

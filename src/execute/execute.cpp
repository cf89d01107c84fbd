#include <fastgpu/execute/execute.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gsl/assert>

#include <fastgpu/observe/log.hpp>

#include "aggregate/forest.hpp"
#include "cluster/cluster_core.hpp"
#include "execute/check_placement.hpp"
#include "execute/choose_fold.hpp"
#include "execute/device_choice.hpp"
#include "execute/run_state.hpp"
#include "execute/start_shared.hpp"
#include "model/forecast.hpp"
#include "node/job_description.hpp"

/// @file
/// Starting a run: what can be refused is refused here, before anything runs.

namespace fastgpu::inline v0::detail {
namespace {

void check_forest(const job_data& job, std::size_t workers, std::uint64_t bytes_max)
{
  const auto spans = ((job.shape.count - 1) >> job.shape.span_log2) + 1;
  const auto value_bytes = static_cast<double>(job.code->values->bytes) * static_cast<double>(job.width);
  const auto bytes = value_bytes * static_cast<double>(forest::nodes_max(spans, workers));
  if (bytes > static_cast<double>(bytes_max)) {
    throw error{errc::partial_too_large,
                "reduction 'ordered' might hold " + std::to_string(static_cast<std::uint64_t>(bytes / 1048576)) +
                    " MiB of partials, more than forest_bytes_max; reduction 'fast' holds one a worker"};
  }
}

std::vector<device_info> choose_devices(const cluster_core& core, const job_data& job, fold_kind fold,
                                        const run_options& options)
{
  auto devices = able_devices(match(core.describe(&job), options.need), job, core.devices_by_name());
  return of_one_class(std::move(devices), job, fold, options);
}

/// What can be refused of a job whatever the devices. @return how its values are folded
fold_kind check_run(const ref<cluster_core>& core, const ref<const job_storage>& job, const run_options& options)
{
  Expects(core.get() != nullptr);  // else the cluster was moved from
  for (const auto time : {options.deadline, options.seal_every, options.batches.target, options.subtask_timeout}) {
    if (time.count >= 0) continue;
    throw error{errc::invalid_argument,
                "run_options: deadline, seal_every, subtask_timeout and batches.target are at least 0"};
  }
  const auto& data = job->data;
  const auto fold = choose_fold(data, options.reduction);
  if (data.shape.count == 0 && fold != fold_kind::none && data.code->values->identity == nullptr) {
    throw error{errc::empty_reduction,
                std::string{"nothing to reduce, and "} + data.code->values->name + " has no identity"};
  }
  if (fold == fold_kind::ordered && data.shape.count > 0) {
    auto workers = core->worker_count();
    if (core->has_nodes()) {  // what they seal is folded here
      for (const auto& d : core->directory().devices()) workers += d.workers;
    }
    check_forest(data, std::max<std::size_t>(workers, 1), options.forest_bytes_max);
  }
  return fold;
}

/// Whether the run has a coordinator: where nodes take part, because there are some and the job can travel, or where
/// what is committed goes into a checkpoint.
bool is_shared(const cluster_core& core, const job_data& job, const run_options& options)
{
  if (!options.checkpoint.empty() && job.shape.count > 0) {
    if (const auto why = why_not_remote(job)) {
      throw error{failure{why->code, "a checkpoint needs a job that nodes could run: " + why->detail}};
    }
    return true;
  }
  if (!core.has_nodes() || job.shape.count == 0) return false;
  const auto why = why_not_remote(job);
  if (!why) return true;
  if (core.devices().empty()) throw error{*why};
  log_line(log_level::info, why->detail + "; it runs in this process alone");
  return false;
}

/// A run that is ready, and offered to nobody yet.
ref<run_state> make_run(const ref<cluster_core>& core, const ref<const job_storage>& job, const placement* given,
                        const run_options& options, fold_kind fold)
{
  const auto& data = job->data;
  if (core->devices().empty() && data.shape.count > 0) {
    throw error{errc::no_usable_device, "devices: none, and no node was added"};
  }
  placement made;
  double assign_s = 0;
  if (given == nullptr && !core->devices().empty()) {
    const auto begin = steady_clock::now();
    made = assign(subtask_list{data.shape}, choose_devices(*core, data, fold, options), options.policy);
    assign_s = std::chrono::duration<double>(steady_clock::now() - begin).count();
  } else if (given != nullptr) {
    check_placement(*given, data, fold, core->describe(), options);
  }
  const auto& table = given == nullptr ? made : *given;
  std::optional<forecast> before;
  if (options.predict) before = forecast_of(data, table, core->describe(&data), *options.predict);
  ref<run_state> run{new run_state{core, job, table, options, fold}};
  if (before) run->expect(std::move(*before));
  run->start(table, assign_s);
  return run;
}

}  // namespace

std::vector<device_info> devices_for(const ref<cluster_core>& core, const job_storage& job, const run_options& options)
{
  Expects(core.get() != nullptr);  // else the cluster was moved from
  const auto fold = choose_fold(job.data, options.reduction);
  if (is_shared(*core, job.data, options)) {
    return choose_shared(*core, core->describe_all(&job.data), job.data, fold, options);
  }
  return choose_devices(*core, job.data, fold, options);
}

ref<run_core> start_run(const ref<cluster_core>& core, const ref<const job_storage>& job, const placement* given,
                        const run_options& options)
{
  const auto begin = steady_clock::now();
  const auto fold = check_run(core, job, options);
  if (is_shared(*core, job->data, options)) return start_shared(core, job, given, options, fold, begin);
  const auto run = make_run(core, job, given, options, fold);
  if (!run->finished()) core->submit(run);
  return run;
}

ref<run_core> run_to_end(const ref<cluster_core>& core, const ref<const job_storage>& job, const run_options& options)
{
  Expects(core.get() != nullptr);  // else the cluster was moved from
  const auto begin = steady_clock::now();
  const auto fold = check_run(core, job, options);
  if (is_shared(*core, job->data, options)) {
    const auto run = start_shared(core, job, nullptr, options, fold, begin);
    run->wait();
    return run;
  }
  core->rouse(job->data.shape.count >> job->data.shape.span_log2);
  const auto run = make_run(core, job, nullptr, options, fold);
  if (!run->finished()) {
    Expects(!core->is_worker_thread());  // as in run_state::wait()
    core->submit_and_work(run);
  }
  run->wait();
  return run;
}

}  // namespace fastgpu::inline v0::detail

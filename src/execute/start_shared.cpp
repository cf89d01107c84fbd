#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/observe/log.hpp>

#include "assign/shares.hpp"
#include "detail/float_environment.hpp"
#include "execute/check_placement.hpp"
#include "execute/device_choice.hpp"
#include "execute/shared_run.hpp"
#include "execute/start_shared.hpp"
#include "node/job_description.hpp"

namespace fastgpu::inline v0::detail {
namespace {

bool here(const device_info& d) { return d.node == node_id{}; }

/// This process's devices that can run the job; none where nodes can do without them.
std::vector<device_info> able_here(std::vector<device_info> local, const job_data& job, bool by_name, bool nodes_may)
{
  if (local.empty()) return local;
  try {
    return able_devices(std::move(local), job, by_name);
  } catch (const error& e) {
    if (by_name || !nodes_may) throw;
    log_line(log_level::info, std::string{e.what()} + "; the job goes to nodes alone");
    return {};
  }
}

/// Ranges cut where spans end, as all neighbours cut them.
interval whole_spans(interval range, const space_shape& shape)
{
  const auto span = std::uint64_t{1} << shape.span_log2;
  const auto align = [&](std::uint32_t at) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>((at + span - 1) / span * span, shape.count));
  };
  return {align(range.begin), align(range.end)};
}

}  // namespace

std::vector<device_info> choose_shared(const cluster_core& core, std::vector<device_info> all, const job_data& job,
                                       fold_kind fold, const run_options& options)
{
  if (all.empty()) return all;
  all = match(all, options.need);
  std::vector<device_info> remote;
  for (const auto& d : all) {
    if (!here(d)) remote.push_back(d);
  }
  std::erase_if(all, [](const device_info& d) { return !here(d); });
  all = able_here(std::move(all), job, core.devices_by_name(), true);
  all.insert(all.end(), std::make_move_iterator(remote.begin()), std::make_move_iterator(remote.end()));
  return of_one_class(std::move(all), job, fold, options);
}

ref<run_core> start_shared(const ref<cluster_core>& core, const ref<const job_storage>& job, const placement* given,
                           const run_options& options, fold_kind fold, steady_clock::time_point started)
{
  const auto& data = job->data;
  if (core->devices().empty()) core->directory().await_devices(options.deadline);
  const auto all = core->describe_all(&data);  // once: nodes come and go meanwhile
  shared_start how;
  placement made;
  if (given == nullptr) {
    const auto begin = steady_clock::now();
    const auto devices = choose_shared(*core, all, data, fold, options);
    if (devices.empty()) {
      auto why = core->directory().trouble();
      if (!why.empty()) why.insert(0, " (").append(")");
      throw error{errc::no_usable_device, "no node is there" + why + ", and this process has no device for the job"};
    }
    made = assign(subtask_list{data.shape}, devices, options.policy);
    how.assign_s = std::chrono::duration<double>(steady_clock::now() - begin).count();
  } else {
    check_placement(*given, data, fold, all, options);
  }
  const auto& table = given == nullptr ? made : *given;
  how.policy = table.policy;
  if (options.predict) how.expected = forecast_of(data, table, all, *options.predict);
  how.measured_share = measured_share(table);
  for (const auto& entry : table.entries) {
    const auto& info = all.at(entry.device.value);
    if (here(info)) how.local.entries.push_back({entry.device, entry.name, {}, 0});
    for (const auto& range : entry.ranges) {
      const auto part = whole_spans(range, data.shape);
      if (part.empty()) continue;
      if (here(info)) {
        how.local_ranges.push_back(part);
      } else {
        how.node_ranges.emplace_back(info.node, part);
      }
    }
    if (fold == fold_kind::ordered && !data.code->portable && !options.mix_numeric_classes) {
      how.numeric_class = info.numeric_class;  // of all of them the same
    }
  }
  for (const auto& d : all) {
    const bool named = std::any_of(table.entries.begin(), table.entries.end(),
                                   [&](const auto& entry) { return all.at(entry.device.value).node == d.node; });
    if (!here(d) && !named) how.kept_out.push_back(d.node);
  }
  how.local.shape = table.shape;
  how.local.subtasks = table.subtasks;
  how.local.policy = table.policy;
  if (!options.checkpoint.empty()) {
    how.saved = std::make_unique<checkpoint>(options.checkpoint.str(), identity_of(data, fold, how.numeric_class),
                                             checkpoint_shape{data.shape.count, data.shape.span_log2});
    const default_float_environment rounding;
    how.resumed = how.saved->load(data, fold, core->memory());
  }
  auto terms = options;
  if (given != nullptr) terms.need = {};
  const ref<shared_run> run{new shared_run{core, job, terms, fold, std::move(how), started}};
  run->start();
  return run;
}

}  // namespace fastgpu::inline v0::detail

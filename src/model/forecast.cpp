#include "model/forecast.hpp"

#include <algorithm>

#include "decompose/indices.hpp"
#include "model/check.hpp"
#include "model/job_bytes.hpp"

namespace fastgpu::inline v0::detail {
namespace {

/// All of it, whether it will be needed or not.
void check(const predict_options& how)
{
  constexpr const char* formula = "predict";
  const auto& costs = how.costs;
  checked_amount(formula, "start", costs.start.count);
  checked_amount(formula, "seal", costs.seal.count);
  checked_amount(formula, "merge_bytes_per_second", costs.merge_bytes_per_second);
  checked_amount(formula, "batch_target", costs.batch_target.count);
  checked_amount(formula, "batch", how.batch.count);
  checked_amount(formula, "latency", how.latency.count);
  checked_divisor(formula, "bytes_per_second", how.bytes_per_second);
}

/// The node that the device is on; made where there is none yet.
node_model& node_of(cluster_model& on, std::vector<node_id>& ids, node_id id, const predict_options& how)
{
  const auto at = std::find(ids.begin(), ids.end(), id);
  if (at != ids.end()) return on.nodes[static_cast<std::size_t>(at - ids.begin())];
  ids.push_back(id);
  auto& node = on.nodes.emplace_back();
  if (id == node_id{}) return node;  // this process: no link
  node.latency = how.latency;
  node.bytes_per_second = how.bytes_per_second;
  return node;
}

}  // namespace

forecast forecast_of(const job_data& job, const placement& where, const std::vector<device_info>& devices,
                     const predict_options& how)
{
  check(how);
  if (where.entries.empty()) return {std::nullopt, "the placement names no device"};
  job_profile profile;
  profile.subtasks = modelled_subtasks(job.shape);
  profile.costs = {seconds{1.0}};  // speeds are subtasks a second, then
  const bool any = profile.subtasks > 0;
  if (any) add_bytes(profile, job);
  const auto indices = any ? indices_of(job.shape) / static_cast<double>(profile.subtasks) : 0;

  cluster_model on;
  on.costs = how.costs;
  std::vector<node_id> ids;
  for (const auto& entry : where.entries) {
    const auto& device = devices.at(entry.device.value);
    if (any && device.speed <= 0) {
      return {std::nullopt, "device " + std::to_string(entry.device.value) + " (" + device.name +
                                ") has not been measured at this kernel"};
    }
    device_model model;
    model.name = device.name;
    model.workers = device.workers;
    model.speed = any ? device.speed / indices / device.workers : 1;
    model.batch = how.batch;
    node_of(on, ids, device.node, how).devices.push_back(std::move(model));
  }
  return {predict(profile, on), {}};
}

}  // namespace fastgpu::inline v0::detail

#include <fastgpu/assign/policy.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <fastgpu/error.hpp>

#include "assign/shares.hpp"
#include "decompose/indices.hpp"

namespace fastgpu::inline v0 {
namespace {

constexpr assignment_policy policies[] = {equal{}, least_loaded{}, by_speed{}, minimum_completion_time{}};

/// Contiguous shares of the total cost in proportion to `weights`, in the devices' order.
placement place_in_proportion(const subtask_list& subtasks, std::span<const device_info> devices,
                              const std::vector<double>& weights, const char* policy)
{
  auto table = detail::empty_table(subtasks, policy);
  double weight_total = 0;
  for (auto w : weights) weight_total += w;
  const auto cost_total = subtasks.cost_before(subtasks.size());
  double weight = 0;
  std::uint32_t begin = 0;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    weight += weights[d];
    const auto last = d + 1 == devices.size();
    const auto end =
        last ? subtasks.size() : std::max(begin, detail::subtask_at_cost(subtasks, cost_total * weight / weight_total));
    placement_entry entry{devices[d].id, devices[d].name, {}, 0};
    if (begin < end) entry.ranges.push_back({begin, end});
    table.entries.push_back(std::move(entry));
    begin = end;
  }
  return table;
}

/// Spans that the slowest worker gets of a uniform job, where all get as many as they are fast.
double spans_of_slowest(const subtask_list& subtasks, std::span<const device_info> devices,
                        const std::vector<double>& speeds)
{
  double total = 0;
  auto slowest = std::numeric_limits<double>::infinity();
  for (std::size_t d = 0; d < devices.size(); ++d) {
    total += speeds[d];
    slowest = std::min(slowest, speeds[d] / devices[d].workers);
  }
  return std::ldexp(subtasks.size() * slowest / total, -static_cast<int>(subtasks.shape().span_log2));
}

}  // namespace

namespace detail {

placement empty_table(const subtask_list& subtasks, const char* policy)
{
  placement table;
  table.shape = digest(subtasks.shape());
  table.subtasks = subtasks.size();
  table.policy = policy;
  return table;
}

std::uint32_t subtask_at_cost(const subtask_list& subtasks, double cost)
{
  std::uint32_t low = 0;
  std::uint32_t high = subtasks.size();
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (subtasks.cost_before(middle) < cost) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::vector<double> speeds_of(std::span<const device_info> devices)
{
  double speed = 0;
  double workers = 0;
  for (const auto& d : devices) {
    if (d.speed > 0) {
      speed += d.speed;
      workers += d.workers;
    }
  }
  const auto per_worker = workers > 0 ? speed / workers : 1.0;
  std::vector<double> speeds;
  for (const auto& d : devices) speeds.push_back(d.speed > 0 ? d.speed : per_worker * d.workers);
  return speeds;
}

double indices_of(const subtask_list& subtasks) { return indices_of(subtasks.shape()); }

double measured_share(const placement& table)
{
  std::uint64_t measured = 0;
  for (const auto& entry : table.entries) {
    for (const auto& range : entry.ranges) measured += entry.predicted_s > 0 ? range.size() : 0;
  }
  return table.subtasks == 0 ? 0 : std::min(1.0, static_cast<double>(measured) / table.subtasks);
}

placement place_equal(const subtask_list& subtasks, std::span<const device_info> devices)
{
  return place_in_proportion(subtasks, devices, std::vector<double>(devices.size(), 1.0), "equal");
}

placement place_least_loaded(const subtask_list& subtasks, std::span<const device_info> devices)
{
  // Fills the devices, by worker, up to one common level of old and new subtasks.
  std::vector<double> loads;
  std::vector<std::size_t> order;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    loads.push_back(static_cast<double>(devices[d].load) / devices[d].workers);
    order.push_back(d);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return loads[a] < loads[b]; });
  double level = 0;
  double workers = 0;
  double old = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    workers += devices[order[i]].workers;
    old += static_cast<double>(devices[order[i]].load);
    level = (old + subtasks.size()) / workers;
    if (i + 1 < order.size() && level <= loads[order[i + 1]]) break;
  }
  std::vector<double> weights;
  double total = 0;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    weights.push_back(std::max(0.0, level - loads[d]) * devices[d].workers);
    total += weights.back();
  }
  if (total <= 0) weights.assign(devices.size(), 1.0);
  return place_in_proportion(subtasks, devices, weights, "least_loaded");
}

placement place_by_speed(const subtask_list& subtasks, std::span<const device_info> devices)
{
  const auto speeds = speeds_of(devices);
  // Where the slowest has many, one more or less is nothing; where not, it may be twice the time.
  constexpr double many = 64;
  if (devices.size() > 1 && !subtasks.shape().costs && spans_of_slowest(subtasks, devices, speeds) < many) {
    return place_whole(subtasks, devices, "by_speed", held::is_left_out);
  }
  auto table = place_in_proportion(subtasks, devices, speeds, "by_speed");
  const auto indices = indices_of(subtasks);
  for (std::size_t d = 0; d < devices.size(); ++d) {
    if (devices[d].speed <= 0 || subtasks.empty()) continue;
    for (const auto& range : table.entries[d].ranges) {
      table.entries[d].predicted_s += indices * range.size() / subtasks.size() / devices[d].speed;
    }
  }
  return table;
}

}  // namespace detail

assignment_policy policy_named(std::string_view name)
{
  std::string names;
  for (const auto& policy : policies) {
    if (name == policy.name) return policy;
    names += std::string{names.empty() ? "" : ", "} + policy.name;
  }
  throw error{errc::invalid_argument, "policy: '" + std::string{name} + "': expected one of " + names};
}

placement assign(const subtask_list& subtasks, std::span<const device_info> devices, const assignment_policy& policy)
{
  if (devices.empty()) throw error{errc::no_usable_device, "assign: there is no device"};
  return policy.make(subtasks, devices);
}

placement assign(const subtask_list& subtasks, std::span<const device_info> devices, const assignment_policy& policy,
                 const requirements& need)
{
  return assign(subtasks, match(devices, need), policy);
}

}  // namespace fastgpu::inline v0

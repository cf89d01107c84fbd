#include <fastgpu/model/prediction.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "detail/input_piece.hpp"
#include "model/check.hpp"
#include "model/cost_distribution.hpp"
#include "model/makespan.hpp"

namespace fastgpu::inline v0 {
namespace {

using detail::checked_amount;
using detail::checked_divisor;
using detail::cost_distribution;
using detail::worker_group;

constexpr const char* formula = "predict";
constexpr double model_deviation = 0.03;  // of what the model leaves out, where it was held against runs

double bytes_of_subtask(const job_profile& job) { return job.input_bytes + job.output_bytes; }

void check(const job_profile& job, const cluster_model& on)
{
  checked_amount(formula, "input_bytes", job.input_bytes);
  checked_amount(formula, "output_bytes", job.output_bytes);
  checked_amount(formula, "broadcast_bytes", job.broadcast_bytes);
  checked_amount(formula, "value_bytes", job.value_bytes);
  if (job.costs.empty()) detail::refuse_argument(formula, "costs", "()", "the time of one subtask at least");
  for (const auto cost : job.costs) checked_divisor(formula, "costs", cost.count);

  checked_amount(formula, "start", on.costs.start.count);
  checked_amount(formula, "seal", on.costs.seal.count);
  checked_amount(formula, "merge_bytes_per_second", on.costs.merge_bytes_per_second);
  checked_amount(formula, "steal", on.costs.steal.count);
  checked_amount(formula, "batch_target", on.costs.batch_target.count);
  checked_amount(formula, "uplink_bytes_per_second", on.uplink_bytes_per_second);
  std::uint64_t workers = 0;
  for (const auto& node : on.nodes) {
    checked_amount(formula, node.name + ": latency", node.latency.count);
    checked_amount(formula, node.name + ": bytes_per_second", node.bytes_per_second);
    checked_amount(formula, node.name + ": broadcast_bytes_per_second", node.broadcast_bytes_per_second);
    checked_amount(formula, node.name + ": price_per_hour", node.price_per_hour);
    for (const auto& device : node.devices) {
      const auto name = node.name + "/" + device.name;
      checked_divisor(formula, (name + ": speed").c_str(), device.speed);
      checked_amount(formula, name + ": batch", device.batch.count);
      checked_amount(formula, name + ": bytes_per_second", device.bytes_per_second);
      checked_amount(formula, name + ": memory_bytes_per_second", device.memory_bytes_per_second);
      workers += std::uint64_t{node.count} * device.count * device.workers;
    }
  }
  if (workers == 0) detail::refuse_argument(formula, "nodes", "()", "a device with a worker at least");
}

/// A kind of device: its workers, and by what they are held up.
struct device_group {
  double workers = 0;    // of all of these devices
  double compute_s = 0;  // of a worker for a subtask
  double batch_s = 0;    // more, for its share of a batch's cost
  double link_s = 0;     // what a subtask takes at least, by its link's share
  double input_s = 0;    // when its input begins to come
  double ready_s = 0;    // when it begins
};

/// When a node has the broadcasts, and when the first piece of its input, which comes after some of the other nodes'.
std::pair<double, double> ready_s(const job_profile& job, const cluster_model& on, const node_model& node,
                                  double remote_nodes)
{
  const auto broadcast_rate =
      node.broadcast_bytes_per_second > 0 ? node.broadcast_bytes_per_second : node.bytes_per_second;
  const auto inputs = static_cast<double>(job.subtasks) * job.input_bytes;
  const auto piece = std::min(std::max(job.input_bytes, detail::input_piece_bytes), inputs / remote_nodes);
  auto broadcast_s = job.broadcast_bytes / broadcast_rate;
  auto piece_s = piece / node.bytes_per_second;
  if (on.uplink_bytes_per_second > 0) {
    broadcast_s = std::max(broadcast_s, remote_nodes * job.broadcast_bytes / on.uplink_bytes_per_second);
    piece_s = std::max(piece_s, (remote_nodes + 1) / 2 * piece / on.uplink_bytes_per_second);
  }
  const auto input_s = 1.5 * node.latency.count + broadcast_s;
  return {input_s, input_s + piece_s};
}

std::vector<device_group> groups_of(const job_profile& job, const cluster_model& on, double mean_s)
{
  const auto bytes = bytes_of_subtask(job);
  double remote_nodes = 0;
  for (const auto& node : on.nodes) remote_nodes += node.bytes_per_second > 0 ? node.count : 0;
  std::vector<device_group> groups;
  for (const auto& node : on.nodes) {
    double node_rate = 0;  // subtasks a second that its devices could do
    for (const auto& device : node.devices) node_rate += device.count * device.workers * device.speed / mean_s;
    for (const auto& device : node.devices) {
      device_group g;
      g.workers = double{1} * node.count * device.count * device.workers;
      if (g.workers == 0) continue;
      g.compute_s = mean_s / device.speed;
      const auto together = on.costs.batch_subtasks > 0 ? double{1} * on.costs.batch_subtasks
                                                        : std::max(1.0, on.costs.batch_target.count / g.compute_s);
      g.batch_s = device.batch.count / together;
      if (device.bytes_per_second > 0) g.link_s = device.workers * bytes / device.bytes_per_second;
      if (node.bytes_per_second > 0) {
        // Its devices share the link as they share the work.
        const auto share = device.speed / mean_s / node_rate;  // of one worker
        g.link_s = std::max(g.link_s, bytes / node.bytes_per_second / share);
        std::tie(g.input_s, g.ready_s) = ready_s(job, on, node, remote_nodes);
      }
      groups.push_back(g);
    }
  }
  return groups;
}

/// Everything at once takes so long, as work that can be divided at will.
double fluid_s(const std::vector<device_group>& groups, double subtasks, double device_group::*also, bool links)
{
  std::vector<worker_group> workers;
  for (const auto& g : groups) {
    auto each = g.compute_s + (also != nullptr ? g.*also : 0);
    if (links) each = std::max(each, g.link_s);
    workers.push_back({g.workers, each, links && each == g.link_s ? g.input_s : g.ready_s});
  }
  return detail::fluid_makespan(workers, subtasks);
}

double worker_total(const std::vector<device_group>& groups)
{
  double workers = 0;
  for (const auto& g : groups) workers += g.workers;
  return workers;
}

/// Who is out of work takes half of what another has, again and again.
double steals_s(const cluster_model& on, double subtasks_a_worker)
{
  return on.costs.steal.count * std::log2(1 + subtasks_a_worker);
}

double aggregation_s(const job_profile& job, const cluster_model& on)
{
  const auto merge_s = on.costs.seal.count +
                       (on.costs.merge_bytes_per_second > 0 ? job.value_bytes / on.costs.merge_bytes_per_second : 0);
  double local_workers = 0;
  double nodes = 0;
  double slowest_s = 0;  // a node closes its own, and brings one partial
  for (const auto& node : on.nodes) {
    double workers = 0;
    for (const auto& device : node.devices) workers += double{1} * device.count * device.workers;
    if (node.bytes_per_second == 0) {
      local_workers += node.count * workers;
      continue;
    }
    nodes += node.count;
    slowest_s = std::max(slowest_s, workers * merge_s + job.value_bytes / node.bytes_per_second + node.latency.count);
  }
  return std::max(local_workers * merge_s, slowest_s) + nodes * merge_s;
}

void find_bound(prediction& p, const job_profile& job, const cluster_model& on, const cost_distribution& costs,
                double subtasks)
{
  double speed = 0;
  double fastest = 0;
  bool remote_only = true;
  double links = 0;
  for (const auto& node : on.nodes) {
    if (node.bytes_per_second == 0) remote_only = false;
    links += node.count * node.bytes_per_second;
    for (const auto& device : node.devices) {
      const auto workers = double{1} * node.count * device.count * device.workers;
      if (workers == 0) continue;
      speed += workers * device.speed;
      fastest = std::max(fastest, device.speed);
    }
  }
  p.lower_bound = seconds{subtasks * costs.mean() / speed};
  const auto raise = [&](double s, run_bound why) {
    if (s <= p.lower_bound.count) return;
    p.lower_bound = seconds{s};
    p.bound = why;
  };
  raise(detail::expected_longest(job.subtasks, costs) / fastest, run_bound::longest_subtask);
  if (remote_only) {
    if (on.uplink_bytes_per_second > 0) links = std::min(links, on.uplink_bytes_per_second);
    raise(subtasks * bytes_of_subtask(job) / links, run_bound::transfer);
  }
}

void add_bill(prediction& p, const cluster_model& on)
{
  for (const auto& node : on.nodes) {
    for (const auto& device : node.devices) {
      p.device_seconds.count += double{1} * node.count * device.count * p.wall.count;
    }
    p.price += node.count * node.price_per_hour * p.wall.count / 3600;
  }
}

}  // namespace

const char* to_string(run_bound bound) noexcept
{
  switch (bound) {
    case run_bound::work: return "work";
    case run_bound::longest_subtask: return "longest subtask";
    case run_bound::transfer: return "transfer";
  }
  return "work";
}

prediction& prediction::operator+=(const prediction& next) noexcept
{
  if (next.lower_bound.count > lower_bound.count) bound = next.bound;
  wall.count += next.wall.count;
  start.count += next.start.count;
  execute.count += next.execute.count;
  batching.count += next.batching.count;
  transfer.count += next.transfer.count;
  imbalance.count += next.imbalance.count;
  aggregate.count += next.aggregate.count;
  low.count += next.low.count;
  high.count += next.high.count;
  lower_bound.count += next.lower_bound.count;
  device_seconds.count += next.device_seconds.count;
  busy.count += next.busy.count;
  price += next.price;
  return *this;
}

prediction predict(const job_profile& job, const cluster_model& on)
{
  check(job, on);
  const cost_distribution costs{job.costs};
  const auto subtasks = static_cast<double>(job.subtasks);
  prediction p;
  if (job.subtasks == 0) {
    p.wall = p.low = p.high = p.start = on.costs.start;
    add_bill(p, on);
    return p;
  }
  find_bound(p, job, on, costs, subtasks);

  auto groups = groups_of(job, on, costs.mean());
  const auto with_all = fluid_s(groups, subtasks, &device_group::batch_s, true);
  const auto without_links = fluid_s(groups, subtasks, &device_group::batch_s, false);
  const auto without_batches = fluid_s(groups, subtasks, nullptr, false);
  for (auto& g : groups) g.ready_s = 0;
  const auto work_alone = fluid_s(groups, subtasks, nullptr, false);
  p.start = seconds{on.costs.start.count + without_batches - work_alone};
  p.execute = seconds{work_alone};
  p.batching = seconds{without_links - without_batches};
  p.transfer = seconds{std::max(0.0, with_all - without_links)};
  if (on.uplink_bytes_per_second > 0) {  // what all nodes are sent
    const auto uplink_s = subtasks * bytes_of_subtask(job) / on.uplink_bytes_per_second;
    const bool remote_only =
        std::all_of(on.nodes.begin(), on.nodes.end(), [](const node_model& n) { return n.bytes_per_second > 0; });
    if (remote_only) p.transfer.count += std::max(0.0, uplink_s - with_all);
  }

  std::vector<worker_group> workers;
  // A worker takes no more at a time than its share.
  const auto together = static_cast<std::uint64_t>(
      std::clamp(std::ceil(subtasks / worker_total(groups)), 1.0, double{1} * std::max(1u, on.costs.batch_subtasks)));
  for (const auto& g : groups) {
    workers.push_back({g.workers, static_cast<double>(together) * std::max(g.compute_s + g.batch_s, g.link_s), 0});
  }
  const auto end = detail::imbalance(workers, job.subtasks / together + (job.subtasks % together != 0),
                                     costs.of_sums(static_cast<double>(together)), !on.speeds_known);
  p.imbalance = seconds{end.mean + steals_s(on, subtasks / detail::worker_count(workers))};
  p.aggregate = seconds{aggregation_s(job, on)};
  for (const auto* term : {&p.start, &p.execute, &p.batching, &p.transfer, &p.imbalance, &p.aggregate}) {
    p.wall.count += term->count;
  }
  p.busy = seconds{(p.execute.count + p.batching.count) * detail::worker_count(workers)};

  // The sample may not be typical, nor may the subtasks that there are; the end is as it happens to come.
  const auto sample = static_cast<double>(job.costs.size());
  const auto of_mean = costs.deviation() / costs.mean() * std::sqrt((sample > 1 ? 1 / sample : 0) + 1 / subtasks);
  const auto rest = 2 * std::hypot(p.execute.count * of_mean, p.wall.count * model_deviation);
  p.low = seconds{std::max(0.0, p.wall.count - std::hypot(rest, end.mean - end.low))};
  p.high = seconds{p.wall.count + std::hypot(rest, end.high - end.mean)};
  add_bill(p, on);
  for (const auto time : {p.wall, p.low, p.high, p.device_seconds}) {
    detail::checked_result(formula, "wall-clock time", time.count);
  }
  detail::checked_result(formula, "price", p.price);
  return p;
}

}  // namespace fastgpu::inline v0

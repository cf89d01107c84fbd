#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>
#include <fastgpu/model/calibrate.hpp>
#include <fastgpu/model/formulas.hpp>
#include <fastgpu/model/measure.hpp>

#include "model/node_processes.hpp"
#include "model/parts.hpp"

namespace bench {
namespace {

using fastgpu::cluster;
using fastgpu::seconds;

constexpr double rate = 50;  // subtasks a second of a GPU
constexpr fastgpu::calibrate_options calibrating{.each = seconds{0.05}};

struct shape_of_point {
  std::uint32_t nodes;
  std::uint32_t gpus;
  std::uint32_t rounds;  // subtasks a GPU
  std::int64_t elements; // of 8 bytes, that a subtask reads
};

/// Reads what it is sent. The kernel is one that every node of this build knows.
auto reading_job(const std::vector<std::uint64_t>& data, std::int64_t elements)
{
  return fastgpu::make_job(fastgpu::space<1>{std::ssize(data), fastgpu::by_size{elements}},
                           fastgpu::detail::calibration_read{}, fastgpu::slices(data),
                           fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}

std::vector<shape_of_point> points_of(bool smoke)
{
  std::vector<shape_of_point> all{{1, 1, 12, 1},      {1, 8, 12, 8192},  {2, 1, 12, 131072}, {2, 4, 12, 8192},
                                  {4, 2, 12, 1},      {4, 2, 12, 65536}, {4, 8, 10, 1},      {8, 1, 20, 1},
                                  {8, 4, 10, 8192},   {8, 8, 12, 1},     {16, 1, 12, 8192},  {16, 2, 12, 1},
                                  {16, 8, 12, 1},     {16, 4, 10, 2048}, {1, 4, 12, 131072}, {4, 1, 20, 131072}};
  if (smoke) all = {{1, 1, 4, 1}, {2, 2, 4, 8192}};
  return all;
}

point run_point(const shape_of_point& p, const fastgpu::calibration& links)
{
  const auto devices = "paced:" + std::to_string(static_cast<int>(rate));
  const auto subtasks = std::int64_t{p.nodes} * p.gpus * p.rounds + 1;
  const std::vector<std::uint64_t> data(static_cast<std::size_t>(subtasks * p.elements), 1);
  const auto job = reading_job(data, p.elements);
  const auto profile = fastgpu::measure(cluster{devices}, job, {.samples = 8, .budget = seconds{0.3}});

  const node_processes nodes{p.nodes, devices + "*" + std::to_string(p.gpus)};
  auto c = nodes.join();
  const auto& link = links.model.nodes.at(0);
  fastgpu::cluster_model on{.costs = links.model.costs, .uplink_bytes_per_second = links.model.uplink_bytes_per_second};
  on.nodes.push_back({.name = "node",
                      .count = p.nodes,
                      .devices = {{.name = "gpu", .count = p.gpus}},
                      .latency = link.latency,
                      .bytes_per_second = link.bytes_per_second});
  const auto value = fastgpu::aggregate(fastgpu::execute(c, job));
  const auto& s = value.summary();
  const auto bytes = static_cast<double>(p.elements) * 8;
  char size[32];
  std::snprintf(size, sizeof size, "%.3g kB", bytes / 1000);
  point found{.what = std::to_string(p.nodes) + " nodes x " + std::to_string(p.gpus) + " GPUs, " +
                      std::to_string(subtasks) + " subtasks of " + size};
  found.at = {{"nodes", p.nodes},
              {"gpus_per_node", p.gpus},
              {"subtasks", static_cast<double>(subtasks)},
              {"bytes_of_subtask", bytes}};
  found.predicted = fastgpu::predict(profile, on);
  found.measured_s = s.wall_s;
  found.terms = s.terms;
  double mean = 0;
  for (const auto cost : profile.costs) mean += cost.count / static_cast<double>(profile.costs.size());
  found.at.emplace_back("devices", double{1} * p.nodes * p.gpus);
  found.at.emplace_back("work_s", mean * static_cast<double>(subtasks));

  // Formula 2 against busy and link time added up: T_original of the sample, one subtask at a time on a GPU, and for B what
  // a link has while all are sent to, which is its share of what this process can send.
  auto bandwidth = link.bytes_per_second;
  if (p.nodes > 1) bandwidth = std::min(bandwidth, links.model.uplink_bytes_per_second / p.nodes);
  const auto formula = fastgpu::t_total({.N = p.nodes,
                                         .M = p.gpus,
                                         .T_original = seconds{mean * static_cast<double>(subtasks) / (p.nodes * p.gpus)},
                                         .P = 1,
                                         .D = bytes * static_cast<double>(subtasks) / p.nodes,
                                         .B = bandwidth});
  double busy_s = 0;
  for (const auto& d : s.devices) busy_s += d.busy_s;
  found.occupied = {formula.total().count, busy_s + s.link_s};
  found.at.emplace_back("link_predicted_s", formula.links.count);
  found.at.emplace_back("link_measured_s", s.link_s);
  return found;
}

}  // namespace

findings sweep_nodes(const sweep_options& options)
{
  findings found{.part = "nodes"};
  const auto links = [] {
    const node_processes two{2, "host:1"};
    return fastgpu::calibrate(two.join(), calibrating);
  }();
  for (const auto& p : points_of(options.smoke)) found.points.push_back(run_point(p, links));
  std::vector<double> errors;
  std::vector<double> occupied;
  for (const auto& p : found.points) {
    errors.push_back(p.error());
    occupied.push_back(p.occupied->predicted_s / p.occupied->measured_s - 1);
  }
  const auto e = summarize(errors);
  found.promises = {{"wall-clock model, median error", e.median, 0.10},
                    {"wall-clock model, 90th percentile", e.p90, 0.20},
                    {"formulas 1 and 2 against busy and link time, median error", summarize(occupied).median, 0.05},
                    {"formulas 1 and 2, worst error", summarize(occupied).worst, 0.05}};
  char note[160];
  std::snprintf(note, sizeof note, "bias %+.1f %%, worst %.1f %%; links %.3g B/s and %.2g s, uplink %.3g B/s",
                100 * e.bias, 100 * e.worst, links.model.nodes.at(0).bytes_per_second,
                links.model.nodes.at(0).latency.count, links.model.uplink_bytes_per_second);
  found.note = note;
  return found;
}

findings sweep_transfers(const sweep_options& options)
{
  findings found{.part = "transfers"};
  const node_processes one{1, "host:1"};
  auto c = one.join();
  const auto links = fastgpu::calibrate(c);
  std::vector<double> errors;
  for (std::int64_t bytes = 1'000'000; bytes <= (options.smoke ? 1'000'000 : 64'000'000); bytes *= 4) {
    const std::vector<std::uint64_t> data(static_cast<std::size_t>(bytes / 8), 1);
    const auto job = reading_job(data, std::ssize(data) / 16);
    const auto profile = fastgpu::measure(cluster{"host:1"}, job, {.samples = 8, .budget = seconds{0.3}});
    std::vector<fastgpu::run_summary> runs;
    for (int i = 0; i < 5; ++i) runs.push_back(fastgpu::aggregate(fastgpu::execute(c, job)).summary());
    char what[64];
    std::snprintf(what, sizeof what, "%g MB in 16 subtasks", static_cast<double>(bytes) / 1e6);
    point p{.what = what};
    p.at = {{"bytes", static_cast<double>(bytes)}};
    p.predicted = fastgpu::predict(profile, links.model);
    p.measured_s = middle_run(runs).wall_s;
    p.terms = middle_run(runs).terms;
    errors.push_back(p.error());
    found.points.push_back(std::move(p));
  }
  const auto e = summarize(errors);
  found.promises = {{"transfers of 1 MB and more, median error", e.median, 0.10},
                    {"transfers of 1 MB and more, worst error", e.worst, 0.10}};
  return found;
}

}  // namespace bench

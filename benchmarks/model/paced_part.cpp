#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>
#include <fastgpu/model/calibrate.hpp>
#include <fastgpu/model/formulas.hpp>
#include <fastgpu/model/measure.hpp>

#include "model/parts.hpp"
#include "model/sleeper.hpp"

namespace bench {
namespace {

using fastgpu::cluster;
using fastgpu::seconds;

struct shape_of_point {
  std::uint32_t nodes;
  std::uint32_t gpus;
  std::uint32_t rounds;  // subtasks a GPU, about
  cost_shape costs;
  bool unequal;  // the GPUs behind the first four are three times as fast
};

constexpr double run_s = 0.25;
constexpr double faster = 3;

/// Every pair of nodes and GPUs, with the other settings changing from one to the next.
std::vector<shape_of_point> points_of(bool smoke)
{
  std::vector<shape_of_point> all;
  constexpr cost_shape costs[] = {cost_shape::even, cost_shape::uniform, cost_shape::exponential};
  constexpr std::uint32_t rounds[] = {3, 8, 24};
  std::uint32_t i = 0;
  for (const auto n : {1u, 2u, 4u, 8u, 16u}) {
    for (const auto m : {1u, 2u, 4u, 8u}) {
      for (int k = 0; k < 2; ++k, ++i) {
        all.push_back({n, m, rounds[i % 3], costs[(i / 3 + i) % 3], i % 4 >= 2 && n * m > 4});
      }
    }
  }
  if (smoke) all.resize(4);
  return all;
}

/// What a subtask takes, from running an eighth of them, 64 at least, elsewhere on devices of the same kind.
fastgpu::job_profile sample(const fastgpu::job<std::uint64_t, 1>& job, std::uint64_t subtasks)
{
  const cluster devices{"host:16"};
  const auto n = static_cast<std::uint32_t>(std::max<std::uint64_t>(64, subtasks / 8));
  return fastgpu::measure(devices, job, {.samples = n, .budget = seconds{0.5}});
}

point run_point(const shape_of_point& p, const fastgpu::run_costs& costs, std::uint64_t seed)
{
  const auto devices = p.nodes * p.gpus;
  const auto fast = p.unequal ? devices - 4 : 0;
  const auto power = devices - fast + faster * fast;
  const auto subtasks = static_cast<std::int64_t>(p.rounds * power) + 1;
  sleeper kernel{.item_s = run_s / p.rounds, .shape = p.costs, .seed = seed};
  const auto unit = sleeping_job(subtasks, 1, kernel);  // on a slow device
  for (std::size_t d = 4; d < kernel.speed.size() && p.unequal; ++d) kernel.speed[d] = faster;

  const auto task_s = kernel.mean_s(static_cast<std::uint32_t>(subtasks), 1);
  const auto profile = sample(unit, static_cast<std::uint64_t>(subtasks));
  fastgpu::cluster_model on{.costs = costs, .speeds_known = false};  // the first run of its cluster
  on.nodes.push_back({.name = "here", .devices = {{.name = "slow", .count = devices - fast}}});
  if (fast > 0) on.nodes[0].devices.push_back({.name = "fast", .count = fast, .speed = faster});

  // Where chance has a part, of some draws of it the middle one.
  cluster c{"host:1*" + std::to_string(devices)};
  std::vector<fastgpu::run_summary> done;
  double busy_s = 0;
  const int runs = p.costs == cost_shape::even ? 1 : 3;
  for (int i = 0; i < runs; ++i, kernel.seed += 1'000'000) {
    const auto value = fastgpu::aggregate(fastgpu::execute(c, sleeping_job(subtasks, 1, kernel)));
    done.push_back(value.summary());
    for (const auto& d : value.summary().devices) busy_s += i == 0 ? d.busy_s : 0;  // of the first draw
  }
  point found{.what = std::to_string(p.nodes) + " x " + std::to_string(p.gpus) + " GPUs, " + std::to_string(subtasks) +
                      " subtasks, " + to_string(p.costs) + (p.unequal ? ", two speeds" : "")};
  found.at = {{"nodes", p.nodes}, {"gpus_per_node", p.gpus}, {"subtasks", static_cast<double>(subtasks)}};
  found.predicted = fastgpu::predict(profile, on);
  found.measured_s = middle_run(done).wall_s;
  found.terms = middle_run(done).terms;
  double mean = 0;
  for (const auto cost : profile.costs) mean += cost.count / static_cast<double>(profile.costs.size());
  found.at.emplace_back("devices", power);  // as many slow ones
  found.at.emplace_back("work_s", mean * static_cast<double>(subtasks));
  if (!p.unequal) {  // all GPUs alike, as formula 1 has them; the time of a task is given, as there
    const auto t_task = static_cast<double>(subtasks) / devices * task_s;
    found.occupied = {fastgpu::t_total({.N = p.nodes, .M = p.gpus, .T_task = seconds{t_task}}).total().count,
                      busy_s};
  }
  return found;
}

}  // namespace

findings sweep_paced(const sweep_options& options)
{
  findings found{.part = "paced"};
  const auto costs = fastgpu::calibrate(cluster{"host:2"}, {.each = seconds{0.02}}).model.costs;
  std::uint64_t seed = 0;
  for (const auto& p : points_of(options.smoke)) found.points.push_back(run_point(p, costs, seed += 1000));
  std::vector<double> errors;
  std::vector<double> occupied;
  std::size_t inside = 0;
  for (const auto& p : found.points) {
    errors.push_back(p.error());
    if (p.occupied) occupied.push_back(p.occupied->predicted_s / p.occupied->measured_s - 1);
    if (p.measured_s >= p.predicted.low.count && p.measured_s <= p.predicted.high.count) ++inside;
  }
  const auto e = summarize(errors);
  found.promises = {{"wall-clock model, median error", e.median, 0.10},
                    {"wall-clock model, 90th percentile", e.p90, 0.20},
                    {"formula 1 against busy time, median error", summarize(occupied).median, 0.05},
                    {"formula 1 against busy time, worst error", summarize(occupied).worst, 0.05}};
  char note[128];
  std::snprintf(note, sizeof note, "bias %+.1f %%, worst %.1f %%, %zu inside their interval", 100 * e.bias,
                100 * e.worst, inside);
  found.note = note;
  return found;
}

}  // namespace bench

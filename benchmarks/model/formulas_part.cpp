#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>
#include <fastgpu/model/formulas.hpp>

#include "model/parts.hpp"
#include "model/sleeper.hpp"

/// @file
/// Formulas 2 and 3 where they say something that the other parts do not try: several subtasks at once on a GPU, and
/// nodes of one capability. GPUs that wait, in this process; all subtasks alike.

namespace bench {
namespace {

using fastgpu::cluster;
using fastgpu::seconds;

constexpr double subtask_s = 0.02;

fastgpu::run_summary run(const std::string& devices, std::int64_t subtasks)
{
  cluster c{devices};
  return fastgpu::aggregate(fastgpu::execute(c, sleeping_job(subtasks, 1, {.item_s = subtask_s}))).summary();
}

/// Formula 2: GPU-seconds, where each GPU has `at_once` subtasks under way all the time.
point with_parallelism(std::uint32_t nodes, std::uint32_t gpus, std::uint32_t at_once, std::int64_t rounds)
{
  const auto devices = nodes * gpus;
  const auto subtasks = rounds * devices * at_once;
  const auto s = run("host:" + std::to_string(at_once) + "*" + std::to_string(devices), subtasks);
  double busy_s = 0;
  for (const auto& d : s.devices) busy_s += d.busy_s / at_once;  // of its workers, to seconds of the GPU
  const auto formula = fastgpu::t_total({.N = nodes,
                                         .M = gpus,
                                         .T_original = seconds{subtask_s * static_cast<double>(subtasks) / devices},
                                         .P = static_cast<double>(at_once),
                                         .D = 0,
                                         .B = 1});
  point found{.what = "formula 2: " + std::to_string(nodes) + " x " + std::to_string(gpus) +
                      " GPUs, P = " + std::to_string(at_once)};
  found.at = {{"nodes", nodes}, {"gpus_per_node", gpus}, {"at_once", at_once}, {"devices", devices}};
  found.predicted.wall = seconds{formula.total().count / devices};  // where all are busy to the end
  found.measured_s = s.wall_s;
  found.terms = s.terms;
  found.occupied = {formula.total().count, busy_s};
  return found;
}

/// Formula 3: a time on the wall clock, which whole subtasks and what a run costs come on top of.
point of_capability(std::uint32_t nodes, std::int64_t subtasks)
{
  const auto s = run("host:1*" + std::to_string(nodes), subtasks);
  const auto formula = fastgpu::capability({.m = subtasks, .n = nodes, .C = 1 / subtask_s});
  point found{.what = "formula 3: " + std::to_string(nodes) + " nodes, " + std::to_string(subtasks) + " subtasks"};
  found.at = {{"nodes", nodes}, {"subtasks", static_cast<double>(subtasks)}, {"devices", nodes}};
  found.predicted.wall = formula.t2;
  found.measured_s = s.wall_s;
  found.terms = s.terms;
  return found;
}

}  // namespace

findings sweep_formulas(const sweep_options& options)
{
  findings found{.part = "formulas", .note = "formula 3 is a bound from below: whole subtasks come on top"};
  const std::int64_t rounds = options.smoke ? 2 : 12;
  std::vector<double> occupied;
  for (const auto& [nodes, gpus] : {std::pair{1u, 1u}, {2u, 2u}, {4u, 4u}}) {
    for (const auto at_once : {2u, 4u}) {
      found.points.push_back(with_parallelism(nodes, gpus, at_once, rounds));
      const auto& bill = *found.points.back().occupied;
      occupied.push_back(bill.predicted_s / bill.measured_s - 1);
    }
  }
  std::vector<double> whole;
  for (const auto nodes : {1u, 4u, 10u}) {
    found.points.push_back(of_capability(nodes, rounds * nodes));
    whole.push_back(found.points.back().error());
    found.points.push_back(of_capability(nodes, rounds * nodes + 1));  // one node has one more, and all wait for it
  }
  found.promises = {{"formula 2 with P > 1 against busy time, worst error", summarize(occupied).worst, 0.05},
                    {"formula 3 where subtasks divide evenly, worst error", summarize(whole).worst, 0.05}};
  return found;
}

}  // namespace bench

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>
#include <fastgpu/model/calibrate.hpp>
#include <fastgpu/model/measure.hpp>

#include "model/parts.hpp"
#include "model/sleeper.hpp"

namespace bench {
namespace {

using fastgpu::cluster;
using fastgpu::seconds;

/// What somebody who runs a job may choose.
struct setting {
  std::uint32_t devices;
  std::int64_t granule;
  std::uint32_t batch;  // subtasks; 0: adaptive
  const char* policy;
};

constexpr std::int64_t items = 4096;
constexpr sleeper work{.subtask_s = 1e-3, .item_s = 0.4e-3, .shape = cost_shape::uniform, .seed = 7,
                       .speed = {1, 1, 2, 2, 4, 4, 4, 4}};

std::vector<setting> settings_of(bool smoke)
{
  std::vector<setting> all;
  for (const auto devices : {2u, 4u, 8u}) {
    for (const std::int64_t granule : {4, 16, 64, 256}) {
      for (const std::uint32_t batch : {0u, 4u}) {
        for (const char* policy : {"equal", "by_speed"}) all.push_back({devices, granule, batch, policy});
      }
    }
  }
  if (smoke) all.resize(3);
  return all;
}

fastgpu::cluster_model model_of(const setting& s, const fastgpu::run_costs& costs)
{
  fastgpu::cluster_model on{.costs = costs, .speeds_known = false};  // the first run of its cluster
  on.costs.batch_subtasks = s.batch;
  on.nodes.push_back({.name = "here"});
  for (std::uint32_t d = 0; d < s.devices; ++d) {
    on.nodes[0].devices.push_back({.name = "device", .speed = static_cast<double>(work.speed[d])});
  }
  return on;
}

/// One profile for each granule, on a device of speed 1; some of the job.
fastgpu::job_profile sample(std::int64_t granule)
{
  auto kernel = work;
  kernel.speed.fill(1);
  const cluster devices{"host:8"};
  const auto subtasks = items / granule;
  const auto n = static_cast<std::uint32_t>(std::max<std::int64_t>(64, subtasks / 8));
  return fastgpu::measure(devices, sleeping_job(items, granule, kernel), {.samples = n, .budget = seconds{1.0}});
}

point run_setting(const setting& s, const fastgpu::job_profile& profile, const fastgpu::run_costs& costs)
{
  cluster c{"host:1*" + std::to_string(s.devices)};
  fastgpu::run_options how{.policy = fastgpu::policy_named(s.policy)};
  if (s.batch > 0) how.batches = fastgpu::batching::fixed(s.batch);
  const auto value = fastgpu::aggregate(fastgpu::execute(c, sleeping_job(items, s.granule, work), how));
  point found{.what = std::to_string(s.devices) + " devices, granule " + std::to_string(s.granule) + ", batches " +
                      (s.batch == 0 ? "adaptive" : "of " + std::to_string(s.batch)) + ", " + s.policy};
  found.at = {{"devices", s.devices}, {"granule", static_cast<double>(s.granule)}, {"batch", s.batch}};
  found.predicted = fastgpu::predict(profile, model_of(s, costs));
  found.measured_s = value.summary().wall_s;
  found.terms = value.summary().terms;
  return found;
}

}  // namespace

findings sweep_settings(const sweep_options& options)
{
  findings found{.part = "settings"};
  const auto costs = fastgpu::calibrate(cluster{"host:2"}, {.each = seconds{0.02}}).model.costs;
  std::vector<std::pair<std::int64_t, fastgpu::job_profile>> profiles;
  for (const auto& s : settings_of(options.smoke)) {
    auto known = std::find_if(profiles.begin(), profiles.end(), [&](const auto& p) { return p.first == s.granule; });
    if (known == profiles.end()) known = profiles.insert(known, {s.granule, sample(s.granule)});
    found.points.push_back(run_setting(s, known->second, costs));
  }
  std::vector<double> predicted;
  std::vector<double> measured;
  for (const auto& p : found.points) {
    predicted.push_back(p.predicted.wall.count);
    measured.push_back(p.measured_s);
  }
  const auto chosen = std::min_element(predicted.begin(), predicted.end()) - predicted.begin();
  const auto best = std::min_element(measured.begin(), measured.end()) - measured.begin();
  found.promises = {
      {"the model's choice over the best", measured[static_cast<std::size_t>(chosen)] / measured[static_cast<std::size_t>(best)] - 1, 0.05},
      {"Kendall's tau-b", kendall_tau(predicted, measured), 0.8, true}};
  found.note = "the model's choice: " + found.points[static_cast<std::size_t>(chosen)].what +
               "; the best: " + found.points[static_cast<std::size_t>(best)].what;
  return found;
}

}  // namespace bench

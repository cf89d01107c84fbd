#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/report.hpp"

/// @file
/// Devices of unequal speed: how far apart they finish. They are paced, so that their speeds are what they are said
/// to be, on any machine; what is measured is the placement and the stealing that corrects it.
///
/// Bound  Gap between the first device to finish and the last: at most 3 % of the run, or one subtask of the slowest
///        where that is more.

namespace {

constexpr double gap_share_max = 0.03;
constexpr int repetitions = 9;

struct rates {
  std::string name;
  std::vector<double> subtasks_a_second;
};

/// @param knows_speeds  Each repetition comes after another on the same cluster, whose speeds are known by then. Else
///                      each has a cluster of its own, and begins with equal shares.
void finish_together(benchmark::State& state, const rates& of, bool knows_speeds)
{
  std::string devices;
  for (const auto rate : of.subtasks_a_second) {
    devices += (devices.empty() ? "paced:" : ",paced:") + std::to_string(static_cast<int>(rate));
  }
  const auto slowest = *std::min_element(of.subtasks_a_second.begin(), of.subtasks_a_second.end());
  const auto together = std::accumulate(of.subtasks_a_second.begin(), of.subtasks_a_second.end(), 0.0);
  const auto seconds = bench::sized(1.0, 0.1);
  const auto subtasks = static_cast<std::int64_t>(together * seconds);

  fastgpu::cluster cluster{devices};
  const auto run = [&] {
    if (!knows_speeds) cluster = fastgpu::cluster{devices};
    return fastgpu::for_each(cluster, fastgpu::space{subtasks, fastgpu::by_size{1}}, [](std::uint64_t) {}).summary();
  };
  if (knows_speeds) (void)run();

  std::vector<double> gaps;
  std::vector<double> walls;
  for (int i = 0; i < bench::sized(repetitions, 1); ++i) {
    fastgpu::run_summary summary;
    (void)bench::measure([&] { summary = run(); });
    auto first = std::numeric_limits<double>::max();
    double last = 0;
    for (const auto& device : summary.devices) {
      first = std::min(first, device.finished_s);
      last = std::max(last, device.finished_s);
    }
    gaps.push_back((last - first) / summary.wall_s * 100);
    walls.push_back(summary.wall_s);
  }
  const auto wall = bench::median_of(walls);
  const auto bound = std::max(gap_share_max, 1 / slowest / wall.median) * 100;
  const auto ideal = static_cast<double>(subtasks) / together;
  bench::report(state,
                {{.what = "finish gap, of the run", .key = "gap_percent", .value = bench::median_of(gaps),
                  .bound = bound, .unit = "%"},
                 {.what = "run over ideal", .key = "wall_over_ideal",
                  .value = {wall.median / ideal, wall.low / ideal, wall.high / ideal}}},
                wall.median, "largest gap of " + std::to_string(gaps.size()) + " runs: " +
                                 std::to_string(*std::max_element(gaps.begin(), gaps.end())) + " %");
}

const bench::registration all{[] {
  for (const auto& of : {rates{"1:9", {200, 1800}}, rates{"1:3:9", {200, 600, 1800}}}) {
    bench::add("unequal_devices/" + of.name + "/speeds_unknown", [=](auto& s) { finish_together(s, of, false); });
    bench::add("unequal_devices/" + of.name + "/speeds_known", [=](auto& s) { finish_together(s, of, true); });
  }
}};

}  // namespace

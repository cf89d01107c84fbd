#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/chain.hpp"
#include "support/report.hpp"

/// @file
/// What `ordered` and `exact` cost over `fast`.
///
/// Bound  One value a subtask of 100 microseconds: at most 5 % more time. Dense sums, where the merging is most of
///        the work, are shown beside it and have no bound.

namespace {

constexpr double over_fast_max = 1.05;
constexpr int threads = 2;
constexpr int rounds = 31;

template <class Space, class F>
void compare_modes(benchmark::State& state, const Space& over, F f, std::optional<double> bound)
{
  fastgpu::cluster cluster{"host:" + std::to_string(threads)};
  double total = 0;
  bench::paired contest;
  for (const auto mode : {fastgpu::reduction::fast, fastgpu::reduction::ordered, fastgpu::reduction::exact}) {
    contest.add(fastgpu::to_string(mode), [&, mode] {
      total = fastgpu::reduce(cluster, over, f, fastgpu::sum<double>{}, {.reduction = mode}).get();
    });
  }
  contest.run(rounds);
  std::vector<bench::figure> figures;
  for (const std::string mode : {"ordered", "exact"}) {
    figures.push_back({.what = mode + " over fast",
                       .key = mode + "_over_fast",
                       .value = contest.ratio(contest.find(mode), contest.find("fast")),
                       .bound = bound});
  }
  bench::report(state, contest, figures);
}

void one_value_a_subtask(benchmark::State& state)
{
  const auto links = bench::links_of_microseconds(100);
  const auto subtasks = bench::sized<std::uint64_t>(500, 20);
  compare_modes(
      state, fastgpu::space{subtasks, fastgpu::by_size{1}},
      [links](std::uint64_t i) { return static_cast<double>(bench::chain(i, links) >> 11) * 0x1p-53; }, over_fast_max);
}

void dense(benchmark::State& state)
{
  const auto n = bench::sized<std::uint64_t>(100'000'000, 100'000);
  compare_modes(
      state, fastgpu::space{n}, [](std::uint64_t i) { return 1.0 / (1.0 + static_cast<double>(i)); }, {});
}

const bench::registration all{[] {
  bench::add("modes/one_value_a_subtask", one_value_a_subtask);
  bench::add("modes/dense", dense);
}};

}  // namespace

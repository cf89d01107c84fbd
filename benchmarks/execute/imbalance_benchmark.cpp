#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/chain.hpp"
#include "support/peers.hpp"
#include "support/report.hpp"
#include "uts_tree.hpp"

/// @file
/// Subtasks of very different lengths, which nobody knows before, on two threads.
///
/// Bounds  Efficiency of at least 0.98: the time that two cores cannot do without, max(serial / 2, largest subtask),
///         over the wall time; both taken in the same round. And not below the best peer: the interval of the ratio
///         must not lie above 1.

namespace {

using bench::schedule;

constexpr double efficiency_min = 0.98;
constexpr int threads = 2;
constexpr schedule everyone[] = {schedule::tbb_auto,      schedule::tbb_grain_1,    schedule::omp_static,
                                 schedule::omp_dynamic_1, schedule::omp_dynamic_16, schedule::omp_guided};

/// @param largest  Share of the largest subtask in the work of all.
void report_balance(benchmark::State& state, const bench::paired& contest, double largest, bool bounded)
{
  const auto plain = contest.find("plain loop");
  const auto efficiency = [&](std::size_t who) {
    return contest.each_round(
        [=](const std::vector<double>& s) { return s[plain] * std::max(1.0 / threads, largest) / s[who]; });
  };
  std::vector<bench::figure> figures{{.what = "efficiency, fastgpu",
                                      .key = "efficiency/fastgpu",
                                      .value = efficiency(0),
                                      .kind = bench::bound_kind::at_least}};
  const auto best = contest.best_peer();
  if (best != plain) {
    figures.push_back({.what = "efficiency, " + contest.name(best),
                       .key = "efficiency/best_peer",
                       .value = efficiency(best)});
  }
  auto ratio = bench::time_over_best_peer(contest);
  if (bounded) {
    figures[0].bound = efficiency_min;
    ratio.bound = 1;
    ratio.judged = ratio.value.low;
  }
  figures.push_back(ratio);
  bench::report(state, contest, figures);
}

/// Sizes with mean 1, in the order in which subtasks are numbered.
std::vector<double> linear(std::size_t n)
{
  std::vector<double> sizes(n);
  std::iota(sizes.begin(), sizes.end(), 1.0);
  return sizes;
}

/// A seed's draws from the Pareto distribution of shape 1.5, none above 5 % of all.
std::vector<double> pareto(std::size_t n)
{
  std::mt19937_64 random{1};
  std::vector<double> sizes(n);
  for (auto& s : sizes) {
    const auto u = static_cast<double>(random() >> 11) * 0x1p-53;
    s = std::pow(1 - u, -1 / 1.5);
  }
  const auto total = std::accumulate(sizes.begin(), sizes.end(), 0.0);
  for (auto& s : sizes) s = std::min(s, 0.05 * total);
  return sizes;
}

std::vector<double> pareto_ascending(std::size_t n)
{
  auto sizes = pareto(n);
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

/// All alike but one, which is as long as `share` of all together. It stands at `at`, between 0 and 1.
std::vector<double> giant(std::size_t n, double share, double at)
{
  std::vector<double> sizes(n, 1.0);
  const auto others = static_cast<double>(n - 1);
  sizes[static_cast<std::size_t>(at * others)] = others * share / (1 - share);
  return sizes;
}

enum class costs { unknown, known };

/// Subtasks of 2 microseconds on average.
void of_sizes(benchmark::State& state, std::vector<double> (*make)(std::size_t), costs given, bool bounded)
{
  const auto n = bench::sized<std::size_t>(10'000, 100);
  auto sizes = make(n);
  const auto total = std::accumulate(sizes.begin(), sizes.end(), 0.0);
  const auto links_each = bench::links_per_microsecond() * 2 * static_cast<double>(n) / total;
  std::vector<std::uint64_t> links(n);
  for (std::size_t i = 0; i < n; ++i) links[i] = static_cast<std::uint64_t>(sizes[i] * links_each) + 1;
  const auto sum = std::accumulate(links.begin(), links.end(), std::uint64_t{0});
  const auto largest = static_cast<double>(*std::max_element(links.begin(), links.end())) / static_cast<double>(sum);

  const auto f = [first = links.data()](std::uint64_t i) { bench::keep(bench::chain(i, first[i])); };
  const auto over = given == costs::known ? fastgpu::space<1>{fastgpu::by_cost{sizes}}
                                          : fastgpu::space<1>{n, fastgpu::by_size{1}};
  fastgpu::cluster cluster{"host:2"};
  bench::paired contest;
  contest.add("fastgpu", [&] { (void)fastgpu::for_each(cluster, over, f); });
  for (const auto peer : everyone) bench::add_loop(contest, peer, threads, n, f);
  bench::add_plain_loop(contest, n, f);
  contest.run(51);
  report_balance(state, contest, largest, bounded);
}

/// The subtrees below the root of UTS's tree T3: 2,000, of which a few have most of the four million nodes.
void uts_t3(benchmark::State& state)
{
  const auto& known = *uts::find_tree("T3");
  const auto root = uts::root(known.tree);
  const auto n = bench::sized(uts::child_count(known.tree, root), 40);
  std::vector<uts::node> tops;
  for (std::int32_t i = 0; i < n; ++i) tops.push_back(uts::child(root, i));
  std::vector<std::uint64_t> nodes(tops.size());

  const auto f = [&tree = known.tree, first = tops.data()](std::uint64_t i) {
    return uts::count_deep_subtree(tree, first[i]).nodes;
  };
  const auto store = [f, to = nodes.data()](std::uint64_t i) { to[i] = f(i); };
  fastgpu::cluster cluster{"host:2"};
  bench::paired contest;
  contest.add("fastgpu", [&] { (void)fastgpu::transform(cluster, nodes, f); });
  for (const auto peer : everyone) bench::add_loop(contest, peer, threads, tops.size(), store);
  bench::add_plain_loop(contest, tops.size(), store);
  contest.run(15);

  const auto counted = std::accumulate(nodes.begin(), nodes.end(), std::uint64_t{0});
  if (!bench::effort_of_all().smoke && counted + 1 != known.answer.nodes) {
    return bench::fail(state, "T3 has other nodes than are published");
  }
  const auto largest = static_cast<double>(*std::max_element(nodes.begin(), nodes.end()));
  report_balance(state, contest, largest / static_cast<double>(counted), true);
}

const bench::registration all{[] {
  const auto add = [](const char* name, std::vector<double> (*make)(std::size_t), costs given, bool bounded) {
    bench::add(std::string{"imbalance/"} + name, [=](auto& state) { of_sizes(state, make, given, bounded); });
  };
  add("linear", linear, costs::unknown, true);
  add("pareto_shuffled", pareto, costs::unknown, true);
  add("pareto_ascending", pareto_ascending, costs::unknown, true);
  // In time for the ideal, where subtasks start in order.
  add("giant", [](std::size_t n) { return giant(n, 0.3, 0.25); }, costs::unknown, true);
  // Too late for anyone who does not know of it.
  add("giant_last", [](std::size_t n) { return giant(n, 0.3, 1.0); }, costs::unknown, false);
  add("giant_last/costs_known", [](std::size_t n) { return giant(n, 0.3, 1.0); }, costs::known, false);
  bench::add("imbalance/uts_t3", uts_t3);
}};

}  // namespace

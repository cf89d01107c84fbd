#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/allocations.hpp"
#include "support/chain.hpp"
#include "support/peers.hpp"
#include "support/report.hpp"

/// @file
/// What a subtask costs beside its work, in batches as the library cuts them and one by one.
///
/// Bounds  A subtask that does nothing, one by one on two threads: 30 ns of wall time. Core time lost for a subtask
///         of 1 microsecond: 20 ns. METG(50 %): 0.2 microseconds. Allocations for a subtask: none.
///         (Instructions have a benchmark of their own: subtask_instructions_benchmark.cpp.)

namespace {

using bench::schedule;

constexpr double empty_ns_max = 30;
constexpr double lost_ns_max = 20;
constexpr double metg_us_max = 0.2;

enum class launched { in_batches, one_by_one };

const char* name_of(launched how) { return how == launched::in_batches ? "in_batches" : "one_by_one"; }

/// A run over n subtasks of one index each.
template <class F>
void run_subtasks(fastgpu::cluster& cluster, std::uint64_t n, launched how, F f)
{
  fastgpu::run_options options;
  if (how == launched::one_by_one) options.batches = fastgpu::batching::fixed(1);
  (void)fastgpu::for_each(cluster, options, fastgpu::space{n, fastgpu::by_size{1}}, f);
}

/// The peers that do the same: hand out single iterations, or as many as they please.
std::vector<schedule> peers_of(launched how)
{
  if (how == launched::one_by_one) return {schedule::tbb_grain_1, schedule::omp_dynamic_1};
  return {schedule::tbb_auto, schedule::omp_static, schedule::omp_guided};
}

void does_nothing(benchmark::State& state, launched how, int threads)
{
  const auto n = bench::sized<std::uint64_t>(how == launched::one_by_one ? 1'000'000 : 50'000'000, 10'000);
  const auto f = [](std::uint64_t i) { bench::keep(i); };
  fastgpu::cluster cluster{"host:" + std::to_string(threads)};
  bench::paired contest{static_cast<double>(n)};
  contest.add("fastgpu", [&] { run_subtasks(cluster, n, how, f); });
  for (const auto peer : peers_of(how)) bench::add_loop(contest, peer, threads, n, f);
  bench::add_plain_loop(contest, n, f);
  contest.run(51);

  std::vector<bench::figure> figures{
      {.what = "wall time a subtask",
       .key = "wall_ns",
       .value = contest.each_round([](const std::vector<double>& s) { return s[0] * 1e9; }),
       .unit = "ns"}};
  if (how == launched::one_by_one && threads == 2) figures[0].bound = empty_ns_max;
  if (contest.size() > 2) {
    figures.push_back({.what = "time over " + contest.name(1), .key = "time_over_tbb", .value = contest.ratio(0, 1)});
  }
  bench::report(state, contest, figures);
}

/// Core time beyond the plain loop's, for one subtask: threads x wall - serial. What starting and ending a run takes is
/// in it: in a run of 80,000 subtasks there is a tenth of it for each.
void lost_time(benchmark::State& state, launched how, std::uint64_t subtasks)
{
  constexpr int threads = 2;
  const auto n = bench::sized<std::uint64_t>(subtasks, 200);
  const auto links = bench::links_of_microseconds(1);
  const auto f = [links](std::uint64_t i) { bench::keep(bench::chain(i, links)); };
  fastgpu::cluster cluster{"host:2"};
  bench::paired contest{static_cast<double>(n)};
  contest.add("fastgpu", [&] { run_subtasks(cluster, n, how, f); });
  for (const auto peer : peers_of(how)) bench::add_loop(contest, peer, threads, n, f);
  bench::add_plain_loop(contest, n, f);
  contest.run(n > 10'000 ? 25 : 101);

  std::vector<bench::figure> figures;
  const auto plain = contest.find("plain loop");
  for (std::size_t who = 0; who < plain; ++who) {
    figures.push_back({.what = "lost time, " + contest.name(who),
                       .key = "lost_ns/" + contest.name(who),
                       .value = contest.each_round(
                           [=](const std::vector<double>& s) { return (threads * s[who] - s[plain]) * 1e9; }),
                       .unit = "ns"});
  }
  if (how == launched::in_batches) figures[0].bound = lost_ns_max;
  bench::report(state, contest, figures);
}

/// One point of an efficiency curve.
struct grain {
  double us;              // core time a subtask takes, all included
  bench::estimate efficiency;
};

/// Where the curve, which runs from coarse to fine, falls through 50 %: by linear interpolation. The finest grain
/// where it never does.
double crossing(const std::vector<grain>& curve, double bench::estimate::* part)
{
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const auto below = curve[i].efficiency.*part;
    if (below >= 0.5) continue;
    if (i == 0) return curve[0].us;
    const auto above = curve[i - 1].efficiency.*part;
    return curve[i].us + (curve[i - 1].us - curve[i].us) * (0.5 - below) / (above - below);
  }
  return curve.back().us;
}

/// METG(50 %): the least granularity, core time a subtask, at which half of the core time is work.
/// @see  E. Slaughter et al., "Task Bench: a parameterized benchmark for evaluating parallel runtime performance",
///       SC 2020.
void metg(benchmark::State& state, launched how)
{
  constexpr int threads = 2;
  fastgpu::cluster cluster{"host:2"};
  std::vector<std::string> names;
  std::vector<std::vector<grain>> curves;
  int rounds = 0;
  int clean_rounds = 0;
  std::string note{"efficiency at"};
  for (auto links = bench::sized<std::uint64_t>(1024, 16); links >= 1; links /= 2) {
    const auto us = static_cast<double>(links) / bench::links_per_microsecond();
    const auto subtasks_max = how == launched::one_by_one ? 1e6 : 1e7;
    const auto n = static_cast<std::uint64_t>(std::min(5000 / us, subtasks_max) * bench::sized(1.0, 0.01)) + 1;
    const auto f = [links](std::uint64_t i) { bench::keep(bench::chain(i, links)); };
    bench::paired contest{static_cast<double>(n)};
    contest.add("fastgpu", [&] { run_subtasks(cluster, n, how, f); });
    for (const auto peer : peers_of(how)) bench::add_loop(contest, peer, threads, n, f);
    bench::add_plain_loop(contest, n, f);
    contest.run(15);

    rounds += contest.rounds();
    clean_rounds += contest.clean_rounds();
    const auto plain = contest.find("plain loop");
    curves.resize(plain);
    names.clear();
    for (std::size_t who = 0; who < plain; ++who) {
      names.push_back(contest.name(who));
      curves[who].push_back(
          {threads * contest.median_seconds(who) * 1e6,
           contest.each_round([=](const std::vector<double>& s) { return s[plain] / (threads * s[who]); })});
    }
    char text[64];
    std::snprintf(text, sizeof text, "%s %.4f us: %.2f", links == bench::sized<std::uint64_t>(1024, 16) ? "" : ",", us,
                  curves[0].back().efficiency.median);
    note += text;
  }
  std::vector<bench::figure> figures;
  for (std::size_t who = 0; who < curves.size(); ++who) {
    // A higher efficiency crosses at a finer grain.
    figures.push_back({.what = "METG(50 %), " + names[who],
                       .key = "metg_us/" + names[who],
                       .value = {crossing(curves[who], &bench::estimate::median),
                                 crossing(curves[who], &bench::estimate::high),
                                 crossing(curves[who], &bench::estimate::low)},
                       .unit = "us"});
  }
  figures[0].bound = metg_us_max;
  state.counters["rounds"] = rounds;
  state.counters["rounds_clean"] = clean_rounds;
  bench::report(state, figures, 0,
                std::to_string(clean_rounds) + " of " + std::to_string(rounds) + " rounds clean; " + note);
}

/// Calls of operator new, as the slope between two counts of subtasks.
template <class Run>
double allocations_a_subtask(const Run& run)
{
  const auto few = bench::sized<std::uint64_t>(100'000, 20'000);
  const auto many = 10 * few;
  const auto count = [&](std::uint64_t n) {
    const bench::allocation_counter counter;
    run(n);
    return static_cast<double>(counter.count());
  };
  run(few);  // whatever is allocated once is
  const auto at_few = count(few);
  return (count(many) - at_few) / static_cast<double>(many - few);
}

void allocations(benchmark::State& state, int threads)
{
  fastgpu::cluster cluster{"host:" + std::to_string(threads)};
  std::vector<bench::figure> figures;
  const auto add = [&](const std::string& what, const std::string& key, auto run) {
    std::vector<double> slopes;
    for (int i = 0; i < bench::sized(11, 1); ++i) slopes.push_back(allocations_a_subtask(run));
    figures.push_back({.what = what, .key = key, .value = bench::median_of(slopes), .bound = 0});
  };
  for (const auto how : {launched::in_batches, launched::one_by_one}) {
    const std::string name{name_of(how)};
    add("allocations, " + name, "allocations/" + name, [&](std::uint64_t n) {
      run_subtasks(cluster, n, how, [](std::uint64_t i) { bench::keep(i); });
    });
    add("..., with ordered sum", "allocations/" + name + "/ordered", [&](std::uint64_t n) {
      fastgpu::run_options options;
      if (how == launched::one_by_one) options.batches = fastgpu::batching::fixed(1);
      bench::keep(fastgpu::reduce(
                      cluster, fastgpu::space{n, fastgpu::by_size{1}},
                      [](std::uint64_t i) { return static_cast<double>(i); }, fastgpu::sum<double>{}, options)
                      .get());
    });
  }
  // Thieves make a partial's set of subtasks longer by an interval each: a few a run, wherever they fall.
  if (threads > 1) {
    for (auto& f : figures) f.bound = 0.001;
  }
  bench::report(state, figures);
}

const bench::registration all{[] {
  for (const auto how : {launched::in_batches, launched::one_by_one}) {
    const std::string name{name_of(how)};
    for (const int threads : {1, 2}) {
      bench::add("subtask/empty/" + name + "/threads:" + std::to_string(threads),
                 [=](auto& state) { does_nothing(state, how, threads); });
    }
    for (const std::uint64_t subtasks : {8'000u, 80'000u}) {
      bench::add("subtask/one_microsecond/" + name + "/" + std::to_string(subtasks),
                 [=](auto& state) { lost_time(state, how, subtasks); });
    }
    bench::add("subtask/metg/" + name, [=](auto& state) { metg(state, how); });
  }
  for (const int threads : {1, 2}) {
    bench::add("subtask/allocations/threads:" + std::to_string(threads),
               [=](auto& state) { allocations(state, threads); });
  }
}};

}  // namespace

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "processes/faults.hpp"
#include "processes/news.hpp"
#include "processes/nodes.hpp"
#include "processes/oracle.hpp"

/// @file
/// Nodes that are killed, frozen and drained in the midst of runs: every answer exact, none missing. Half of the nodes
/// compute in child processes, which are killed, too.

namespace {

using namespace std::chrono_literals;
using namespace oracle;

constexpr std::size_t node_count = 4;
constexpr double dead_after_s = 1;
constexpr std::uint32_t kernel_us = 1000;
constexpr std::uint64_t subtasks = 5000;
constexpr double patience_s = 60;  // with one run, however loaded the machine

std::size_t trials(std::size_t usual)
{
  const char* wanted = std::getenv("FASTGPU_FAULT_TRIALS");
  return wanted == nullptr ? usual : static_cast<std::size_t>(std::atoll(wanted));
}

std::uint64_t first_seed()
{
  const char* wanted = std::getenv("FASTGPU_FAULT_SEED");
  return wanted == nullptr ? 1 : static_cast<std::uint64_t>(std::atoll(wanted));
}

struct measured {
  bool finished = false;
  answer value;
  std::string why;
  double wall_s = 0;
  fastgpu::run_summary summary;
};

/// Runs the job while the plan comes to pass.
measured run_with(nodes& all, const std::string& local, const fault_plan& plan, double seal_every_s)
{
  struct step {
    double at_s;
    const fault* what;
    bool back;
  };
  std::vector<step> steps;
  for (const auto& f : plan.faults) {
    steps.push_back({f.at_s, &f, false});
    if (f.back_s >= 0) steps.push_back({f.back_s, &f, true});
  }
  std::sort(steps.begin(), steps.end(), [](const step& a, const step& b) { return a.at_s < b.at_s; });

  auto cluster = all.join(local, dead_after_s);
  const auto begin = clock::now();
  auto run = fastgpu::execute(cluster, job(subtasks, kernel_us), {.seal_every = fastgpu::seconds{seal_every_s}});
  auto next = steps.begin();
  while (!run.finished() && seconds_since(begin) < patience_s) {
    for (; next != steps.end() && next->at_s <= seconds_since(begin); ++next) {
      const auto& f = *next->what;
      if (f.kind == fault_kind::worker_killed) {
        if (!next->back) all.send_to_worker(f.node, SIGKILL);
      } else if (!next->back) {
        static constexpr int signals[] = {SIGKILL, SIGSTOP, SIGTERM};
        all.send(f.node, signals[static_cast<int>(f.kind)]);
      } else if (f.kind == fault_kind::frozen) {
        all.send(f.node, SIGCONT);
      } else {
        all.spawn(f.node);
      }
    }
    std::this_thread::sleep_for(1ms);
  }
  measured m;
  m.finished = run.finished();
  if (!m.finished) run.cancel();
  auto end = run.wait();
  m.summary = end.summary();
  m.wall_s = m.summary.wall_s;
  if (end.kind() == fastgpu::outcome_kind::done) {
    m.value = std::move(end).get().get();
  } else {
    m.why = m.summary.why.detail;
  }
  return m;
}

/// Trials with faults of `kinds`. Prints what they cost.
void try_faults(const std::vector<fault_kind>& kinds, std::size_t usual)
{
  nodes all{node_count};
  for (std::size_t i = 0; i < node_count; ++i) all.start(i, {.isolated = i % 2 == 1});
  const auto right = expected(subtasks);
  const auto ideal = run_with(all, "none", {}, 2.0);
  ASSERT_EQ(ideal.value, right) << ideal.why;

  std::vector<double> excess;  // of the time over what may be expected, as a share of it
  std::uint64_t fenced = 0;
  std::uint64_t wasted = 0;
  std::uint64_t faults = 0;
  std::uint64_t runs = 0;
  const auto seeds = trials(usual);
  constexpr int attempts = 3;  // others may have the machine meanwhile
  for (auto seed = first_seed(); seed < first_seed() + seeds; ++seed) {
    std::mt19937_64 random{seed};
    all.repair();
    const auto plan = draw(random, kinds, node_count, 1.2 * ideal.wall_s, dead_after_s);
    const double seal_every_s = std::uniform_real_distribution<>{0.05, 1}(random);
    const std::string local = random() % 4 == 0 ? "host:1" : "none";
    SCOPED_TRACE(testing::Message{} << "FASTGPU_FAULT_SEED=" << seed << ": " << plan << "sealed every " << seal_every_s
                                    << " s, devices here: " << local);
    const bool detects = std::any_of(plan.faults.begin(), plan.faults.end(),
                                     [](const fault& f) { return f.kind == fault_kind::frozen; });
    const auto detection_s = detects ? dead_after_s : 0.1;
    const auto may_take = 1.1 * time_without(plan, node_count, ideal.wall_s, seal_every_s) + detection_s;
    std::string said;
    double best_s = patience_s;
    for (int attempt = 0; attempt < attempts && best_s > may_take; ++attempt) {
      if (attempt > 0) all.repair();
      const news log;
      const auto got = run_with(all, local, plan, seal_every_s);
      said = log.all();
      ASSERT_TRUE(got.finished) << "it hangs: " << got.summary.committed << " of " << subtasks << '\n' << said;
      ASSERT_EQ(got.value, right) << got.why << '\n' << said;
      EXPECT_LT(got.wall_s, 3 * may_take + 10) << said;
      best_s = std::min(best_s, got.wall_s);
      ++runs;
      fenced += got.summary.fenced;
      wasted += got.summary.wasted;
    }
    EXPECT_LE(best_s, may_take) << "of " << attempts << " runs\n" << said;
    excess.push_back(best_s / may_take - 1);
    faults += plan.faults.size();
  }
  std::sort(excess.begin(), excess.end());
  std::printf("%llu runs of %zu plans, %llu faults, all exact; without faults %.2f s; ",
              static_cast<unsigned long long>(runs), excess.size(), static_cast<unsigned long long>(faults),
              ideal.wall_s);
  std::printf("time over detection + lost work + 10 %%: median %+.0f %%, worst %+.0f %%; "
              "%llu subtasks run twice, %llu partials fenced\n",
              100 * excess[excess.size() / 2], 100 * excess.back(), static_cast<unsigned long long>(wasted),
              static_cast<unsigned long long>(fenced));
  EXPECT_TRUE(wasted > 0 || seeds < 10) << "no fault came in the midst of work";
}

TEST(Faults, KilledNodesAreDoneWithout) { try_faults({fault_kind::killed}, 10); }

TEST(Faults, FrozenNodesAreDoneWithoutAndTakePartAgain) { try_faults({fault_kind::frozen}, 10); }

TEST(Faults, OfAllKindsMix)
{
  try_faults({fault_kind::killed, fault_kind::frozen, fault_kind::drained, fault_kind::worker_killed}, 10);
}

}  // namespace

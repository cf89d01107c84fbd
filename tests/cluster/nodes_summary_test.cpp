#include <fastgpu/observe/summary.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <fastgpu/fastgpu.hpp>

#include "cluster/nodes_fixture.hpp"

/// @file
/// What summaries say of runs that nodes take part in.

namespace nodes_test {

struct sleeper {
  std::uint32_t microseconds;
  std::uint64_t operator()(std::uint64_t i) const
  {
    std::this_thread::sleep_for(std::chrono::microseconds{microseconds});
    if (i == 666) throw std::runtime_error{"as it was told"};
    return 1;
  }
};
FASTGPU_REGISTER("test.nodes_summary.sleeper", sleeper)

auto sleep_job(std::int64_t subtasks, std::uint32_t microseconds)
{
  return fastgpu::make_job(fastgpu::space<1>{subtasks, fastgpu::by_size{1}}, sleeper{microseconds},
                           fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}

void expect_sum(const fastgpu::run_summary& s)
{
  const auto& t = s.terms;
  for (const auto term : {t.start_s, t.execute_s, t.waiting_s, t.imbalance_s, t.aggregate_s}) EXPECT_GE(term, 0);
  EXPECT_NEAR(t.start_s + t.execute_s + t.waiting_s + t.imbalance_s + t.aggregate_s, s.wall_s, 1e-6);
}

using NodesSummary = Nodes;

TEST_F(NodesSummary, HasTermsThatAddUp)
{
  start();
  start();
  for (const auto* local : {"none", "host:1"}) {
    auto c = join(local);
    for (const std::int64_t subtasks : {0, 1, 2, 400}) {
      const auto s = fastgpu::execute(c, sleep_job(subtasks, 500)).wait().summary();
      EXPECT_EQ(s.outcome, fastgpu::outcome_kind::done);
      expect_sum(s);
      EXPECT_EQ(s.terms.execute_s > 0, subtasks > 0) << subtasks;
    }
  }
}

TEST_F(NodesSummary, KnowsHowLongANodesWorkersWereAtWork)
{
  start("paced:10*2");
  auto c = join();
  const auto s = fastgpu::execute(c, sleep_job(4, 1)).wait().summary();  // two rounds of 0.1 s
  expect_sum(s);
  EXPECT_NEAR(s.terms.execute_s, 0.2, 0.04);
  EXPECT_LT(s.wall_s - s.terms.execute_s, 0.1);
}

TEST_F(NodesSummary, CountsANodeThatIsDoneEarlyAsImbalance)
{
  start("paced:10");
  start("paced:5");
  auto c = join();
  const auto job = sleep_job(2, 1);
  const auto s = fastgpu::execute(c, job, {.policy = fastgpu::equal{}}).wait().summary();  // 0.1 s and 0.2 s
  expect_sum(s);
  if (s.backups == 0) {
    EXPECT_NEAR(s.terms.execute_s, 0.15, 0.04);
    EXPECT_NEAR(s.terms.imbalance_s, 0.05, 0.03);
  }
}

TEST_F(NodesSummary, HasTermsOfRunsThatAreNotDone)
{
  start();
  auto c = join("host:1");
  auto run = fastgpu::execute(c, sleep_job(600, 10'000));
  std::this_thread::sleep_for(std::chrono::milliseconds{60});
  run.cancel();
  expect_sum(run.wait().summary());
  const auto failed = fastgpu::execute(c, sleep_job(1000, 100)).wait().summary();
  EXPECT_EQ(failed.outcome, fastgpu::outcome_kind::failed);
  expect_sum(failed);
}

TEST_F(NodesSummary, HasTermsWhereANodeIsLost)
{
  start();
  start();
  auto c = join("host:1");
  auto run = fastgpu::execute(c, sleep_job(600, 500));
  while (run.progress().done < 100) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  kill(0);
  expect_sum(run.wait().summary());
}

TEST_F(NodesSummary, SayThatNodesHaveNotBeenMeasured)
{
  start();
  auto c = join();
  fastgpu::run_options options;
  options.predict.emplace();
  const auto s = fastgpu::execute(c, sleep_job(50, 100), options).wait().summary();
  EXPECT_FALSE(s.predicted);
  EXPECT_EQ(s.not_predicted, "device 0 (n1/host:2) has not been measured at this kernel");
}

}  // namespace nodes_test

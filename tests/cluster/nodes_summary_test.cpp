#include <fastgpu/observe/summary.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <fastgpu/fastgpu.hpp>

#include "cluster/nodes_fixture.hpp"
#include "support/undisturbed.hpp"

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
  // Two rounds of 0.1 s.
  const auto s = support::undisturbed(0.22, [&] { return fastgpu::execute(c, sleep_job(4, 1)).wait().summary(); });
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
  // 0.1 s and 0.2 s.
  const auto s = support::undisturbed(
      0.22, [&] { return fastgpu::execute(c, job, {.policy = fastgpu::equal{}}).wait().summary(); });
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

// Bytes and links ---------------------------------------------------------------------------------------------------

struct table_reader {
  void operator()(std::uint64_t i, fastgpu::in1<std::uint64_t> table, fastgpu::in1<std::uint32_t> in,
                  fastgpu::out1<std::uint64_t> out) const
  {
    const auto at = static_cast<std::int64_t>(i);
    out[at] = table[at % 1000] + in[at];
  }
};
FASTGPU_REGISTER("test.nodes_summary.table_reader", table_reader)

constexpr std::size_t table_size = 500'000;
constexpr std::int64_t reads = 30'000;
constexpr std::uint64_t table_bytes = table_size * sizeof(std::uint64_t);
constexpr std::uint64_t in_bytes = reads * sizeof(std::uint32_t);
constexpr std::uint64_t out_bytes = reads * sizeof(std::uint64_t);

class NodesBytes : public Nodes {
 protected:
  fastgpu::run_summary run_on(cluster& c)
  {
    const auto job = fastgpu::make_job(fastgpu::space<1>{reads, fastgpu::by_size{100}}, table_reader{},
                                       fastgpu::broadcast(table_), fastgpu::slices(in_), fastgpu::gather(out_));
    return fastgpu::aggregate(fastgpu::execute(c, job)).summary();
  }

  std::vector<std::uint64_t> table_ = std::vector<std::uint64_t>(table_size, 1);
  std::vector<std::uint32_t> in_ = std::vector<std::uint32_t>(reads, 2);
  std::vector<std::uint64_t> out_ = std::vector<std::uint64_t>(reads);
};

TEST_F(NodesBytes, AreThoseOfTheArguments)
{
  start();
  auto c = join();
  const auto first = run_on(c);
  ASSERT_EQ(first.devices.size(), 1);
  const auto& node = first.devices[0];
  EXPECT_EQ(node.bytes_sent, table_bytes + in_bytes);
  EXPECT_GE(node.bytes_received, out_bytes);  // and what says which blocks they are
  EXPECT_LT(node.bytes_received, 2 * out_bytes);
  EXPECT_GT(node.link_s, 0);
  EXPECT_LT(node.link_s, 2 * first.wall_s);
  EXPECT_EQ(first.bytes_sent, node.bytes_sent);
  EXPECT_EQ(first.bytes_received, node.bytes_received);
  EXPECT_EQ(first.link_s, node.link_s);

  const auto second = run_on(c);  // the table is there already
  EXPECT_EQ(second.bytes_sent, in_bytes);
}

TEST_F(NodesBytes, OfThisProcessAreNone)
{
  start();
  auto c = join("host:1");
  const auto s = run_on(c);
  ASSERT_EQ(s.devices.size(), 2);
  EXPECT_EQ(s.devices[0].bytes_sent, 0);
  EXPECT_EQ(s.devices[0].link_s, 0);
  EXPECT_LE(s.bytes_sent, table_bytes + in_bytes);  // it may be over before all of it went
  EXPECT_EQ(s.bytes_sent, s.devices[1].bytes_sent);
}

TEST_F(NodesBytes, GoToEveryNode)
{
  start();
  start();
  auto c = join();
  const auto s = run_on(c);
  std::uint64_t all = 0;
  for (const auto& d : s.devices) {
    all += d.bytes_sent;
    EXPECT_LE(d.bytes_sent, table_bytes + in_bytes) << d.name;
    if (d.subtasks == 0) continue;
    EXPECT_GT(d.bytes_sent, table_bytes) << d.name;
    EXPECT_GT(d.link_s, 0) << d.name;
  }
  EXPECT_EQ(s.bytes_sent, all);
}

TEST_F(NodesBytes, AreOfEachRunAlone)
{
  start();
  auto c = join();
  (void)run_on(c);  // the table goes
  const auto other = sleep_job(400, 500);
  auto beside = fastgpu::execute(c, other);
  const auto s = run_on(c);
  EXPECT_EQ(s.bytes_sent, in_bytes);
  EXPECT_EQ(fastgpu::aggregate(beside).summary().bytes_sent, 0);
}

struct counter {
  void operator()(std::uint64_t) const { std::this_thread::sleep_for(std::chrono::microseconds{100}); }
};
FASTGPU_REGISTER("test.nodes_summary.counter", counter)

TEST_F(NodesBytes, AreHardlyAnyWithoutData)
{
  start();
  auto c = join();
  const auto job = fastgpu::make_job(fastgpu::space<1>{50, fastgpu::by_size{1}}, counter{});
  const auto s = fastgpu::execute(c, job).wait().summary();
  EXPECT_EQ(s.outcome, fastgpu::outcome_kind::done);
  EXPECT_EQ(s.bytes_sent, 0);
  EXPECT_LE(s.bytes_received, 8 * s.seals);  // a partial says at least that it is empty
  EXPECT_LT(s.link_s, 0.001 * static_cast<double>(s.seals));
}

}  // namespace nodes_test

#include <fastgpu/observe/summary.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <fastgpu/fastgpu.hpp>
#include <fastgpu/observe/log.hpp>

#include "support/undisturbed.hpp"

/// @file
/// The terms of runs in this process.

namespace {

using fastgpu::batching;
using fastgpu::outcome_kind;
using fastgpu::run_options;
using fastgpu::run_summary;
using fastgpu::seconds;

constexpr double rounding_s = 1e-9;

auto count_of(std::int64_t subtasks)
{
  return fastgpu::make_job(
      fastgpu::space<1>{subtasks, fastgpu::by_size{1}}, [](std::uint64_t) -> std::uint64_t { return 1; },
      fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}

run_summary summary_of(const std::string& devices, std::int64_t subtasks, const run_options& options = {})
{
  fastgpu::cluster c{devices};
  return fastgpu::execute(c, count_of(subtasks), options).wait().summary();
}

/// Of a run that takes `ideal_s` where nothing else takes the processor.
run_summary undisturbed(double ideal_s, const std::string& devices, std::int64_t subtasks,
                        const run_options& options = {})
{
  return support::undisturbed(ideal_s + 0.01, [&] { return summary_of(devices, subtasks, options); });
}

void expect_sum(const run_summary& s)
{
  const auto& t = s.terms;
  for (const auto term : {t.start_s, t.execute_s, t.waiting_s, t.imbalance_s, t.aggregate_s}) EXPECT_GE(term, 0);
  EXPECT_NEAR(t.start_s + t.execute_s + t.waiting_s + t.imbalance_s + t.aggregate_s, s.wall_s, rounding_s);
}

TEST(RunTerms, AddUpToTheWallClockTime)
{
  for (const auto* devices : {"host:1", "host:4", "host:2*2", "paced:2000,paced:500"}) {
    for (const std::int64_t subtasks : {0, 1, 2, 3, 100}) {
      for (const auto batches : {batching::adaptive(), batching::fixed(1), batching::guided(2)}) {
        const auto s = summary_of(devices, subtasks, {.batches = batches});
        ASSERT_EQ(s.outcome, outcome_kind::done);
        SCOPED_TRACE(std::string{devices} + ", " + std::to_string(subtasks));
        expect_sum(s);
        if (subtasks == 0) {
          EXPECT_EQ(s.terms.start_s, s.wall_s);
        } else {
          EXPECT_GT(s.terms.execute_s, 0);
        }
      }
    }
  }
}

TEST(RunTerms, TellImbalanceFromWork)
{
  const auto s = undisturbed(0.2, "paced:10,paced:5", 2, {.policy = fastgpu::equal{}});  // 0.1 s and 0.2 s
  expect_sum(s);
  EXPECT_LT(s.terms.start_s, 0.03);
  EXPECT_NEAR(s.terms.execute_s, 0.15, 0.03);
  EXPECT_LT(s.terms.waiting_s, 0.01);
  EXPECT_NEAR(s.terms.imbalance_s, 0.05, 0.02);
  EXPECT_LT(s.terms.aggregate_s, 0.05);
}

TEST(RunTerms, CountWorkersWithoutASubtaskAsImbalance)
{
  const auto s = undisturbed(0.1, "paced:10*4", 1);
  expect_sum(s);
  EXPECT_NEAR(s.terms.execute_s, 0.025, 0.01);
  EXPECT_NEAR(s.terms.imbalance_s, 0.075, 0.02);
}

TEST(RunTerms, LeaveOutDevicesThatThePlacementDoesNotName)
{
  fastgpu::cluster c{"paced:10,host:4"};
  const auto job = count_of(1);
  const std::vector<fastgpu::device_info> one{c.devices()[0]};
  const auto only = fastgpu::assign(fastgpu::decompose(job), one, fastgpu::equal{});
  const auto s = support::undisturbed(0.11, [&] { return fastgpu::execute(c, job, only).wait().summary(); });
  expect_sum(s);
  EXPECT_NEAR(s.terms.execute_s, 0.1, 0.02);
  EXPECT_LT(s.terms.imbalance_s, 0.001);
}

TEST(RunTerms, KnowTheTimeOfBatchesThatAreRarelyTimed)
{
  const auto s = undisturbed(0.2, "paced:200", 40, {.batches = batching::fixed(1)});
  expect_sum(s);
  EXPECT_NEAR(s.terms.execute_s, 0.2, 0.04);
  EXPECT_NEAR(s.devices.at(0).busy_s, 0.2, 0.04);
  EXPECT_NEAR(s.devices.at(0).finished_s, 0.2, 0.04);
}

TEST(RunTerms, OfCancelledRuns)
{
  fastgpu::cluster c{"paced:10*2"};
  auto run = fastgpu::execute(c, count_of(100));
  std::this_thread::sleep_for(std::chrono::milliseconds{50});
  run.cancel();
  const auto s = run.wait().summary();
  EXPECT_EQ(s.outcome, outcome_kind::cancelled);
  expect_sum(s);
  EXPECT_GT(s.terms.execute_s, 0.02);
}

TEST(RunTerms, OfRunsPastTheirDeadline)
{
  const auto s = summary_of("paced:10*2", 100, {.deadline = seconds{0.05}});
  EXPECT_EQ(s.outcome, outcome_kind::deadline);
  expect_sum(s);
}

TEST(RunTerms, CountABatchThatFailed)
{
  fastgpu::cluster c{"host:1"};
  const auto job = fastgpu::make_job(
      fastgpu::space<1>{3, fastgpu::by_size{1}},
      [](std::uint64_t i) -> std::uint64_t {
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
        if (i == 1) throw std::runtime_error{"as it was told"};
        return i;
      },
      fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto s = fastgpu::execute(c, job).wait().summary();
  EXPECT_EQ(s.outcome, outcome_kind::failed);
  expect_sum(s);
  EXPECT_GE(s.terms.execute_s, 0.039);
}

TEST(RunTerms, OfRunsThatLoseDevices)
{
  fastgpu::set_log(fastgpu::log_level::off);  // it reports the devices that it loses
  for (int seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    expect_sum(summary_of("paced:20000,faulty:" + std::to_string(seed) + "*2", 200, {.batches = batching::fixed(1)}));
  }
  fastgpu::set_log(fastgpu::log_level::warning);
}

}  // namespace

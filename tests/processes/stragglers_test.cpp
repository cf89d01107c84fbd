#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include <gtest/gtest.h>

#include "processes/nodes.hpp"
#include "processes/oracle.hpp"
#include "support/undisturbed.hpp"

/// @file
/// One node of four that is ten times slower. Others do its work: what is lost is its capacity, and little more.

namespace {

using namespace std::chrono_literals;
using namespace oracle;

constexpr std::uint64_t subtasks = 4000;
constexpr std::uint32_t kernel_us = 2000;
constexpr double slower = 10;
// Of four nodes' capacity 3.1 are left: no scheduler comes below this.
constexpr double least_ratio = 4 / (3 + 1 / slower);

fastgpu::run_summary run_once(const nodes& all)
{
  auto cluster = all.join("none", 5);
  const auto value = fastgpu::aggregate(fastgpu::execute(cluster, job(subtasks, kernel_us)));
  EXPECT_EQ(value.get(), expected(subtasks));
  return value.summary();
}

/// The shortest of three.
double usual_s(const nodes& all)
{
  return support::undisturbed(
             0, [&] { return run_once(all); }, 3)
      .wall_s;
}

void tell(const char* how, double usual_s, const fastgpu::run_summary& slow)
{
  std::printf("%s: %.3f s instead of %.3f s, %.2f times; the least is %.2f; %llu backups, %llu steals\n", how,
              slow.wall_s, usual_s, slow.wall_s / usual_s, least_ratio, static_cast<unsigned long long>(slow.backups),
              static_cast<unsigned long long>(slow.steals));
}

TEST(Stragglers, ThatComputeSlowlyLoseTheirWorkToOthers)
{
  nodes all{4};
  all.start_all({});
  const auto usual = usual_s(all);
  all.start(0, {.slowness = slower});
  const auto may_take = 1.2 * least_ratio * usual;
  const auto slow = support::undisturbed(may_take, [&] { return run_once(all); });
  tell("one of four computes ten times slower", usual, slow);
  EXPECT_LE(slow.wall_s, may_take);
}

TEST(Stragglers, ThatRunATenthOfTheTimeLoseTheirWorkToOthers)
{
  nodes all{4};
  all.start_all({.dead_after_s = 5});
  const auto usual = usual_s(all);
  std::atomic<bool> over = false;
  std::thread brake{[&] {
    while (!over) {  // what it is asked and what it says waits for up to 90 ms
      all.send(0, SIGSTOP);
      std::this_thread::sleep_for(90ms);
      all.send(0, SIGCONT);
      std::this_thread::sleep_for(10ms);
    }
  }};
  const auto may_take = 1.3 * least_ratio * usual;
  const auto slow = support::undisturbed(may_take, [&] { return run_once(all); });
  over = true;
  brake.join();
  tell("one of four runs a tenth of the time", usual, slow);
  EXPECT_LE(slow.wall_s, may_take);
}

}  // namespace

#include <fastgpu/assign/policy.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/error.hpp>

namespace {

using fastgpu::assign;
using fastgpu::assignment_policy;
using fastgpu::by_cost;
using fastgpu::by_size;
using fastgpu::by_speed;
using fastgpu::decompose;
using fastgpu::device_info;
using fastgpu::equal;
using fastgpu::errc;
using fastgpu::interval;
using fastgpu::least_loaded;
using fastgpu::minimum_completion_time;
using fastgpu::placement;
using fastgpu::space;
using fastgpu::subtask_list;

const std::vector<assignment_policy> policies{equal{}, least_loaded{}, by_speed{}, minimum_completion_time{}};

subtask_list uniform(std::uint32_t n) { return decompose(space{n, by_size{1}}); }
subtask_list with_costs(const std::vector<double>& costs) { return decompose(space{by_cost{costs}}); }

struct traits {
  double speed = 0;
  std::uint64_t load = 0;
  std::uint32_t workers = 1;
};

std::vector<device_info> devices_with(const std::vector<traits>& all)
{
  std::vector<device_info> devices;
  for (const auto& t : all) {
    device_info info;
    info.id = {static_cast<std::uint32_t>(devices.size())};
    info.name = "device " + std::to_string(devices.size());
    info.speed = t.speed;
    info.load = t.load;
    info.workers = t.workers;
    devices.push_back(info);
  }
  return devices;
}

/// How many subtasks each device gets.
std::vector<std::uint32_t> counts(const placement& table)
{
  std::vector<std::uint32_t> all;
  for (const auto& entry : table.entries) {
    std::uint32_t count = 0;
    for (const auto& range : entry.ranges) count += range.size();
    all.push_back(count);
  }
  return all;
}
using numbers = std::vector<std::uint32_t>;

TEST(Assign, GivesContiguousSharesInTheDevicesOrder)
{
  const auto table = assign(uniform(10), devices_with({{}, {}, {}}), equal{});
  ASSERT_EQ(table.entries.size(), 3u);
  EXPECT_EQ(table.entries[0].ranges, (std::vector<interval>{{0, 4}}));
  EXPECT_EQ(table.entries[1].ranges, (std::vector<interval>{{4, 7}}));
  EXPECT_EQ(table.entries[2].ranges, (std::vector<interval>{{7, 10}}));
  EXPECT_EQ(table.entries[1].device.value, 1u);
  EXPECT_EQ(table.entries[1].name, "device 1");
  EXPECT_EQ(table.policy, "equal");
  EXPECT_EQ(table.subtasks, 10u);
  EXPECT_EQ(table.shape, digest(uniform(10).shape()));
}

TEST(Assign, SaysWhereThereIsNoDevice)
{
  for (const auto& policy : policies) {
    try {
      (void)assign(uniform(10), {}, policy);
      ADD_FAILURE();
    } catch (const fastgpu::error& e) {
      EXPECT_EQ(e.code(), errc::no_usable_device);
      EXPECT_STREQ(e.what(), "assign: there is no device");
    }
  }
}

TEST(Assign, LeavesOutDevicesThatDoNotMatch)
{
  auto devices = devices_with({{}, {}, {}});
  devices[1].labels = {"fast"};
  const auto table =
      assign(uniform(10), devices, equal{}, {.memory_bytes = 0, .compute_capability = 0, .labels = {"fast"}});
  ASSERT_EQ(table.entries.size(), 1u);
  EXPECT_EQ(table.entries[0].device.value, 1u);
  EXPECT_EQ(counts(table), numbers{10});
  fastgpu::requirements need;
  need.labels = {"slow"};
  EXPECT_THROW((void)assign(uniform(10), devices, equal{}, need), fastgpu::error);
}

TEST(Assign, GivesNothingToAnyoneWhereThereIsNothing)
{
  for (const auto& policy : policies) {
    const auto table = assign(uniform(0), devices_with({{1.0, 5, 2}, {0, 0, 1}}), policy);
    ASSERT_EQ(table.entries.size(), 2u);
    EXPECT_TRUE(table.entries[0].ranges.empty());
    EXPECT_TRUE(table.entries[1].ranges.empty());
    EXPECT_EQ(table.subtasks, 0u);
  }
}

TEST(Assign, GivesOneSubtaskAtMostWhereThereAreMoreDevices)
{
  for (const auto& policy : policies) {
    const auto got = counts(assign(uniform(3), devices_with(std::vector<traits>(10)), policy));
    EXPECT_EQ(got.size(), 10u);
    EXPECT_EQ(std::count(got.begin(), got.end(), 1u), 3) << policy.name;
    EXPECT_EQ(std::count(got.begin(), got.end(), 0u), 7) << policy.name;
  }
}

TEST(Equal, IgnoresSpeedsLoadsAndThreads)
{
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{9, 0, 1}, {1, 50, 8}}), equal{})), (numbers{50, 50}));
}

TEST(Equal, GivesTheSameCostToEveryDevice)
{
  EXPECT_EQ(counts(assign(with_costs({1, 1, 1, 1, 2, 2, 4}), devices_with({{}, {}, {}}), equal{})), (numbers{4, 2, 1}));
}

TEST(Equal, GivesAGiantToOneDeviceAlone)
{
  std::vector<double> costs(10, 1.0);
  costs[0] = 1e6;
  EXPECT_EQ(counts(assign(with_costs(costs), devices_with({{}, {}}), equal{})), (numbers{1, 9}));
}

TEST(BySpeed, DividesInProportionToTheSpeeds)
{
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{1, 0, 1}, {3, 0, 1}}), by_speed{})), (numbers{25, 75}));
  EXPECT_EQ(counts(assign(uniform(1300), devices_with({{1, 0, 1}, {3, 0, 1}, {9, 0, 1}}), by_speed{})),
            (numbers{100, 300, 900}));
}

TEST(BySpeed, CountsWholeSubtasksWhereThereAreFew)
{
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{99.96, 0, 1}, {399.67, 0, 1}}), by_speed{})), (numbers{20, 80}));
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{100.04, 0, 1}, {399.9, 0, 1}}), by_speed{})), (numbers{20, 80}));
  EXPECT_EQ(counts(assign(uniform(6), devices_with({{20, 0, 1}, {70, 0, 1}}), by_speed{})), (numbers{1, 5}));
  EXPECT_EQ(counts(assign(uniform(13), devices_with({{80, 0, 1}, {20, 0, 1}}), by_speed{})), (numbers{11, 2}));
}

TEST(BySpeed, DividesByThreadsWhereNothingWasMeasured)
{
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{0, 0, 1}, {0, 0, 3}}), by_speed{})), (numbers{25, 75}));
}

TEST(BySpeed, TakesANewDeviceForAsFastAsTheOthersThreads)
{
  // Four threads make 40, so two would make 20.
  EXPECT_EQ(counts(assign(uniform(60), devices_with({{40, 0, 4}, {0, 0, 2}}), by_speed{})), (numbers{40, 20}));
}

TEST(BySpeed, PredictsTheTimeWhereItKnowsTheSpeed)
{
  const auto subtasks = decompose(space{1000, by_size{10}});
  const auto table = assign(subtasks, devices_with({{25, 0, 1}, {75, 0, 1}}), by_speed{});
  EXPECT_DOUBLE_EQ(table.entries[0].predicted_s, 10);  // 250 indices at 25 a second
  EXPECT_DOUBLE_EQ(table.entries[1].predicted_s, 10);
  const auto unknown = assign(subtasks, devices_with({{0, 0, 1}, {0, 0, 1}}), by_speed{});
  EXPECT_EQ(unknown.entries[0].predicted_s, 0);
}

TEST(MinimumCompletionTime, CountsWholeSubtasks)
{
  const auto shares = [](std::uint32_t n, const std::vector<traits>& all) {
    return counts(assign(uniform(n), devices_with(all), minimum_completion_time{}));
  };
  EXPECT_EQ(shares(5, {{1, 0, 1}, {3, 0, 1}}), (numbers{1, 4}));  // 4/3 s; {2, 3} would take 2 s
  EXPECT_EQ(shares(2, {{1, 0, 1}, {4, 0, 1}}), (numbers{0, 2}));
  EXPECT_EQ(shares(100, {{1, 0, 1}, {3, 0, 1}}), (numbers{25, 75}));
  EXPECT_EQ(shares(1300, {{1, 0, 1}, {3, 0, 1}, {9, 0, 1}}), (numbers{100, 300, 900}));
  EXPECT_EQ(shares(7, {{1, 0, 1}, {1, 0, 1}, {1, 0, 1}}), (numbers{3, 2, 2}));
}

TEST(MinimumCompletionTime, RunsAsManySubtasksAtATimeAsThereAreWorkers)
{
  const auto shares = [](std::uint32_t n, const std::vector<traits>& all) {
    return counts(assign(uniform(n), devices_with(all), minimum_completion_time{}));
  };
  EXPECT_EQ(shares(5, {{4, 0, 4}, {1, 0, 1}}), (numbers{4, 1}));
  EXPECT_EQ(shares(6, {{4, 0, 4}, {1.5, 0, 1}}), (numbers{4, 2}));  // 4/3 s; {5, 1} would take 2 s
  EXPECT_EQ(shares(4, {{0, 0, 3}, {0, 0, 1}}), (numbers{3, 1}));
}

TEST(MinimumCompletionTime, WaitsForWhatDevicesHold)
{
  const auto shares = [](std::uint32_t n, const std::vector<traits>& all) {
    return counts(assign(uniform(n), devices_with(all), minimum_completion_time{}));
  };
  EXPECT_EQ(shares(100, {{1, 50, 1}, {1, 0, 1}}), (numbers{25, 75}));
  EXPECT_EQ(shares(10, {{1, 100, 1}, {1, 0, 1}}), (numbers{0, 10}));
  EXPECT_EQ(shares(10, {{10, 100, 1}, {1, 0, 1}}), (numbers{0, 10}));  // a tie of 10 s apiece is not broken by waiting
  EXPECT_EQ(shares(12, {{10, 100, 1}, {1, 0, 1}}), (numbers{2, 10}));
}

TEST(MinimumCompletionTime, PredictsWhenDevicesAreDoneWhereItKnowsTheSpeed)
{
  const auto subtasks = decompose(space{1000, by_size{10}});
  const auto table = assign(subtasks, devices_with({{25, 4, 1}, {75, 0, 1}}), minimum_completion_time{});
  EXPECT_EQ(counts(table), (numbers{22, 78}));
  EXPECT_DOUBLE_EQ(table.entries[0].predicted_s, 10.4);  // 26 subtasks of 0.4 s
  EXPECT_DOUBLE_EQ(table.entries[1].predicted_s, 10.4);
  const auto some = assign(subtasks, devices_with({{25, 0, 1}, {0, 0, 1}}), minimum_completion_time{});
  EXPECT_DOUBLE_EQ(some.entries[0].predicted_s, 20);
  EXPECT_EQ(some.entries[1].predicted_s, 0);
}

TEST(MinimumCompletionTime, CutsCostsWhereTheLastDeviceIsDoneFirst)
{
  const auto list = with_costs({5, 1, 1, 1, 1, 1});
  EXPECT_EQ(counts(assign(list, devices_with({{1, 0, 1}, {1, 0, 1}}), minimum_completion_time{})), (numbers{1, 5}));
  EXPECT_EQ(counts(assign(list, devices_with({{1, 0, 1}, {4, 0, 1}}), minimum_completion_time{})), (numbers{0, 6}));
}

/// Seconds until the last device is done, a subtask's cost in the mean being one index.
double makespan(const subtask_list& list, const std::vector<traits>& all, const placement& table, bool uniform_costs)
{
  double last = 0;
  std::uint32_t begin = 0;
  for (std::size_t d = 0; d < all.size(); ++d) {
    const auto end = begin + counts(table)[d];
    const auto mean = list.cost_before(list.size()) / list.size();
    const auto cost = (list.cost_before(end) - list.cost_before(begin)) / mean;
    const auto& t = all[d];
    const auto all_cost = static_cast<double>(t.load) + cost;
    const auto rounds = uniform_costs ? std::ceil(all_cost / t.workers - 1e-9) * t.workers : all_cost;
    if (end > begin) last = std::max(last, rounds / t.speed);
    begin = end;
  }
  return last;
}

TEST(MinimumCompletionTime, IsNeverSlowerThanAnotherPolicyByTheSpeedsThatItGoesBy)
{
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    const bool uniform_costs = seed % 3 != 0;
    std::vector<traits> all(1 + random() % 8);
    for (auto& t : all) {
      t.speed = std::exp2(static_cast<double>(random() % 1000) / 100);
      t.load = random() % 3 == 0 ? random() % 100 : 0;
      t.workers = uniform_costs ? static_cast<std::uint32_t>(1 + random() % 5) : 1;
    }
    std::vector<double> costs(1 + random() % 300);
    for (auto& cost : costs) cost = static_cast<double>(1 + random() % 100);
    const auto list = uniform_costs ? uniform(static_cast<std::uint32_t>(costs.size())) : with_costs(costs);
    const auto devices = devices_with(all);
    const auto ours = makespan(list, all, assign(list, devices, minimum_completion_time{}), uniform_costs);
    for (const auto& other : policies) {
      ASSERT_LE(ours, makespan(list, all, assign(list, devices, other), uniform_costs) * (1 + 1e-9)) << other.name;
    }
  }
}

TEST(BySpeed, IsNeverSlowerThanEqualSharesByTheSpeedsThatItGoesBy)
{
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    std::vector<traits> all(1 + random() % 8);
    for (auto& t : all) {
      t.speed = std::exp2(static_cast<double>(random() % 1000) / 100);
      t.workers = static_cast<std::uint32_t>(1 + random() % 5);
    }
    const auto list = uniform(static_cast<std::uint32_t>(1 + random() % (seed % 2 == 0 ? 300 : 300'000)));
    const auto devices = devices_with(all);
    const auto by_equal = makespan(list, all, assign(list, devices, equal{}), true);
    ASSERT_LE(makespan(list, all, assign(list, devices, by_speed{}), true), 1.02 * by_equal);
  }
}

TEST(MinimumCompletionTime, EndsAsThePublishedHeuristic)
{
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    std::vector<traits> all(1 + random() % 6);
    std::vector<std::vector<double>> free_at;  // of each worker
    for (auto& t : all) {
      t.speed = static_cast<double>(1 + random() % 20);
      t.workers = static_cast<std::uint32_t>(1 + random() % 4);
      free_at.emplace_back(t.workers);
    }
    const auto n = static_cast<std::uint32_t>(1 + random() % 100);
    double last = 0;
    for (std::uint32_t i = 0; i < n; ++i) {  // each subtask to whoever would complete it first
      double* best = nullptr;
      double done = 0;
      for (std::size_t d = 0; d < all.size(); ++d) {
        auto& worker = *std::min_element(free_at[d].begin(), free_at[d].end());
        const auto then = worker + all[d].workers / all[d].speed;
        if (best == nullptr || then < done) {
          best = &worker;
          done = then;
        }
      }
      last = std::max(last, *best = done);
    }
    const auto list = uniform(n);
    const auto table = assign(list, devices_with(all), minimum_completion_time{});
    ASSERT_NEAR(makespan(list, all, table, true), last, 1e-9 * last);
  }
}

TEST(LeastLoaded, FillsAllDevicesUpToOneLevel)
{
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{0, 50, 1}, {0, 0, 1}}), least_loaded{})), (numbers{25, 75}));
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{0, 0, 1}, {0, 0, 1}}), least_loaded{})), (numbers{50, 50}));
}

TEST(LeastLoaded, GivesNothingToDevicesAboveTheLevel)
{
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{0, 1000, 1}, {0, 0, 1}, {0, 20, 1}}), least_loaded{})),
            (numbers{0, 60, 40}));
}

TEST(LeastLoaded, CountsThreads)
{
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{0, 0, 1}, {0, 0, 4}}), least_loaded{})), (numbers{20, 80}));
  EXPECT_EQ(counts(assign(uniform(100), devices_with({{0, 50, 1}, {0, 0, 4}}), least_loaded{})), (numbers{0, 100}));
}

TEST(Assign, CoversAllSubtasksOnceInOrder)
{
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    std::mt19937_64 random{seed};
    const auto below = [&](std::uint64_t n) { return random() % n; };
    std::vector<traits> all(1 + below(12));
    for (auto& t : all) {
      t.speed = below(3) == 0 ? 0 : std::ldexp(1.0, static_cast<int>(below(60)) - 30);
      t.load = below(2) == 0 ? 0 : below(10'000);
      t.workers = static_cast<std::uint32_t>(1 + below(64));
    }
    const auto devices = devices_with(all);
    std::vector<double> costs(below(300));
    for (auto& cost : costs) cost = seed % 7 == 0 ? 0 : static_cast<double>(below(3) * below(1000));
    const auto list = seed % 2 == 0 ? with_costs(costs) : uniform(static_cast<std::uint32_t>(below(100'000)));
    for (const auto& policy : policies) {
      SCOPED_TRACE(std::string{policy.name} + ", seed " + std::to_string(seed));
      const auto table = assign(list, devices, policy);
      ASSERT_EQ(table.entries.size(), devices.size());
      ASSERT_EQ(table.policy, policy.name);
      std::uint32_t at = 0;
      for (std::size_t d = 0; d < devices.size(); ++d) {
        ASSERT_EQ(table.entries[d].device, devices[d].id);
        for (const auto& range : table.entries[d].ranges) {
          ASSERT_EQ(range.begin, at);
          ASSERT_LT(range.begin, range.end);
          at = range.end;
        }
        ASSERT_TRUE(std::isfinite(table.entries[d].predicted_s));
        ASSERT_GE(table.entries[d].predicted_s, 0);
      }
      ASSERT_EQ(at, list.size());
    }
  }
}

TEST(Assign, KeepsEverySharesCostWithinOneSubtask)
{
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    std::vector<double> costs(1 + random() % 500);
    for (auto& cost : costs) cost = static_cast<double>(1 + random() % 100);
    std::vector<traits> all(1 + random() % 10);
    for (auto& t : all) t.speed = static_cast<double>(1 + random() % 20);
    double speeds = 0;
    for (const auto& t : all) speeds += t.speed;
    const auto list = with_costs(costs);
    const auto total = list.cost_before(list.size());
    const auto dearest = *std::max_element(costs.begin(), costs.end());
    const auto table = assign(list, devices_with(all), by_speed{});
    for (std::size_t d = 0; d < all.size(); ++d) {
      double got = 0;
      for (const auto& range : table.entries[d].ranges) {
        got += list.cost_before(range.end) - list.cost_before(range.begin);
      }
      ASSERT_NEAR(got, total * all[d].speed / speeds, dearest + 1e-6 * total) << "device " << d;
    }
  }
}

TEST(PolicyNamed, FindsPoliciesByName)
{
  EXPECT_STREQ(fastgpu::policy_named("equal").name, "equal");
  EXPECT_EQ(fastgpu::policy_named("least_loaded").make, least_loaded{}.make);
  EXPECT_EQ(fastgpu::policy_named("by_speed").make, by_speed{}.make);
  EXPECT_EQ(fastgpu::policy_named("minimum_completion_time").make, minimum_completion_time{}.make);
}

TEST(PolicyNamed, NamesThoseThatExist)
{
  for (const std::string name : {"", "Equal", "fastest"}) {
    try {
      (void)fastgpu::policy_named(name);
      ADD_FAILURE() << name;
    } catch (const fastgpu::error& e) {
      EXPECT_EQ(e.code(), errc::invalid_argument);
      EXPECT_EQ(e.what(),
                "policy: '" + name + "': expected one of equal, least_loaded, by_speed, minimum_completion_time");
    }
  }
}

}  // namespace

#include <fastgpu/model/prediction.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/failure_of.hpp"

namespace {

using fastgpu::cluster_model;
using fastgpu::errc;
using fastgpu::job_profile;
using fastgpu::predict;
using fastgpu::prediction;
using fastgpu::seconds;
using support::failure_of;

/// Workers of these speeds, in this process.
cluster_model here(const std::vector<double>& speeds)
{
  cluster_model c;
  c.nodes.push_back({.name = "here"});
  for (const auto s : speeds) c.nodes[0].devices.push_back({.name = "host", .speed = s});
  return c;
}

job_profile alike(std::uint64_t subtasks, double cost_s) { return {.subtasks = subtasks, .costs = {seconds{cost_s}}}; }

/// Who would be done first with a mean one takes the next: the plain way, one subtask after the other.
double list_schedule(const std::vector<double>& speeds, const std::vector<double>& costs, double mean)
{
  std::vector<double> free_at(speeds.size(), 0.0);
  double end = 0;
  for (const auto cost : costs) {
    std::size_t first = 0;
    for (std::size_t w = 1; w < speeds.size(); ++w) {
      if (free_at[w] + mean / speeds[w] < free_at[first] + mean / speeds[first]) first = w;
    }
    free_at[first] += cost / speeds[first];
    end = std::max(end, free_at[first]);
  }
  return end;
}

TEST(Prediction, IsExactWhereWholeRoundsAreAllThatMatters)
{
  EXPECT_NEAR(predict(alike(100, 1), here({1})).wall.count, 100, 1e-6);
  EXPECT_NEAR(predict(alike(100, 1), here({1, 1, 1, 1})).wall.count, 25, 1e-6);
  EXPECT_NEAR(predict(alike(101, 1), here({1, 1, 1, 1})).wall.count, 26, 1e-6);
  EXPECT_NEAR(predict(alike(30, 2), here({1, 2})).wall.count, 20, 1e-6);
  EXPECT_NEAR(predict(alike(1, 1), here({1, 1, 1, 1})).wall.count, 1, 1e-3);
  EXPECT_NEAR(predict(alike(3, 1), here({1, 1, 1, 1})).wall.count, 1, 1e-3);
}

TEST(Prediction, MeetsListSchedulingOfRandomCosts)
{
  const std::vector<std::vector<double>> clusters{
      {1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}, {4, 1, 1}, {1, 2, 3, 4, 5, 6, 7, 8}, std::vector<double>(64, 1.0)};
  std::mt19937_64 random{7};
  std::lognormal_distribution<double> wide{0, 1};
  std::uniform_real_distribution<double> narrow{0.9, 1.1};
  std::exponential_distribution<double> exponential{1};
  const std::vector<std::function<double()>> kinds{[&] { return wide(random); }, [&] { return narrow(random); },
                                                   [&] { return 1e-3 + exponential(random); }};
  for (const auto& speeds : clusters) {
    for (const auto& kind : kinds) {
      for (const std::uint64_t m : {200u, 1000u, 5000u}) {
        job_profile job{.subtasks = m};
        for (int i = 0; i < 4000; ++i) job.costs.push_back(seconds{kind()});
        const auto p = predict(job, here(speeds));
        double mean_cost = 0;
        for (const auto c : job.costs) mean_cost += c.count / static_cast<double>(job.costs.size());
        double mean = 0;
        constexpr int trials = 200;
        int inside = 0;
        for (int t = 0; t < trials; ++t) {
          std::vector<double> costs;
          for (std::uint64_t i = 0; i < m; ++i) costs.push_back(job.costs[random() % job.costs.size()].count);
          const auto took = list_schedule(speeds, costs, mean_cost);
          mean += took / trials;
          inside += p.low.count <= took && took <= p.high.count;
        }
        EXPECT_NEAR(p.wall.count / mean, 1, 0.05) << speeds.size() << " workers, " << m << " subtasks";
        EXPECT_GE(inside, trials * 9 / 10) << speeds.size() << " workers, " << m << " subtasks";
        EXPECT_LE(p.lower_bound.count, p.wall.count);
      }
    }
  }
}

/// Thousands of devices, no two alike.
cluster_model unlike(std::size_t devices)
{
  std::mt19937_64 random{11};
  std::lognormal_distribution<double> speed{0, 0.7};
  std::vector<double> speeds(devices);
  for (auto& s : speeds) s = speed(random);
  return here(speeds);
}

TEST(Prediction, MeetsListSchedulingOnManyUnlikeDevices)
{
  const auto c = unlike(300);
  std::vector<double> speeds;
  for (const auto& d : c.nodes[0].devices) speeds.push_back(d.speed);
  std::mt19937_64 random{3};
  std::exponential_distribution<double> exponential{1};
  job_profile job{.subtasks = 300 * 60};
  for (int i = 0; i < 4000; ++i) job.costs.push_back(seconds{1e-3 + exponential(random)});
  double mean_cost = 0;
  for (const auto cost : job.costs) mean_cost += cost.count / static_cast<double>(job.costs.size());
  double mean = 0;
  constexpr int trials = 20;
  for (int t = 0; t < trials; ++t) {
    std::vector<double> costs;
    for (std::uint64_t i = 0; i < job.subtasks; ++i) costs.push_back(job.costs[random() % job.costs.size()].count);
    mean += list_schedule(speeds, costs, mean_cost) / trials;
  }
  EXPECT_NEAR(predict(job, c).wall.count / mean, 1, 0.05);
}

TEST(Prediction, CountsAlikeDevicesThatAreNamedOneByOneAsOneKind)
{
  std::vector<double> speeds;
  cluster_model counted{.nodes = {{.name = "here"}}};
  for (const double speed : {1.0, 2.0, 5.0}) {
    speeds.insert(speeds.end(), 40, speed);
    counted.nodes[0].devices.push_back({.name = "host", .count = 40, .speed = speed});
  }
  for (const std::uint64_t m : {100, 10'000, 1'000'000}) {
    const job_profile job{.subtasks = m, .costs = {seconds{0.5}, seconds{1.0}, seconds{2.5}}};
    EXPECT_NEAR(predict(job, here(speeds)).wall.count / predict(job, counted).wall.count, 1, 1e-6) << m;
  }
}

TEST(Prediction, OfTenThousandUnlikeDevicesTakesLessThanASecond)
{
  const auto c = unlike(10'000);
  job_profile job{.subtasks = 100'000'000};
  std::mt19937_64 random{5};
  std::exponential_distribution<double> exponential{1};
  for (int i = 0; i < 1000; ++i) job.costs.push_back(seconds{1e-3 + exponential(random)});
  auto least = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_GT(predict(job, c).wall.count, 0);
    least = std::min(least, std::chrono::steady_clock::now() - begin);
  }
  const auto least_s = std::chrono::duration<double>(least).count();
  RecordProperty("least_s", std::to_string(least_s));
  EXPECT_LT(least_s, 1);
}

TEST(Prediction, AddsUp)
{
  auto c = here({1, 2});
  c.costs = {seconds{0.5}, seconds{0.01}, 1e6};
  c.nodes.push_back({.name = "far",
                     .count = 3,
                     .devices = {{.name = "gpu", .count = 2, .speed = 10, .batch = seconds{1e-3}}},
                     .latency = seconds{0.01},
                     .bytes_per_second = 1e6,
                     .price_per_hour = 36});
  const job_profile job{.subtasks = 1000,
                        .costs = {seconds{0.1}, seconds{0.3}},
                        .input_bytes = 1e4,
                        .broadcast_bytes = 1e6,
                        .value_bytes = 1e5};
  const auto p = predict(job, c);
  EXPECT_DOUBLE_EQ(p.wall.count, p.start.count + p.execute.count + p.batching.count + p.transfer.count +
                                     p.imbalance.count + p.aggregate.count);
  for (const auto term : {p.start, p.execute, p.batching, p.imbalance, p.aggregate}) EXPECT_GT(term.count, 0);
  EXPECT_GE(p.transfer.count, 0);
  EXPECT_NEAR(p.price, 3 * 36 * p.wall.count / 3600, 1e-9);
  EXPECT_NEAR(p.device_seconds.count, 8 * p.wall.count, 1e-9);
  EXPECT_LE(p.low.count, p.wall.count);
  EXPECT_GE(p.high.count, p.wall.count);
}

TEST(Prediction, WaitsForASlowLink)
{
  cluster_model c;
  c.nodes.push_back({.name = "far", .devices = {{.name = "gpu", .workers = 4}}, .bytes_per_second = 1e6});
  job_profile job = alike(100, 0.01);
  job.input_bytes = 1e5;  // 0.1 s each, for 0.0025 s of work
  const auto p = predict(job, c);
  EXPECT_NEAR(p.start.count + p.execute.count + p.transfer.count, 10, 0.5);
  EXPECT_EQ(p.bound, fastgpu::run_bound::transfer);
  EXPECT_NEAR(p.lower_bound.count, 10, 1e-9);
}

TEST(Prediction, KnowsTheLongestSubtask)
{
  job_profile job{.subtasks = 100};
  for (int i = 0; i < 99; ++i) job.costs.push_back(seconds{0.01});
  job.costs.push_back(seconds{10.0});
  const auto p = predict(job, here(std::vector<double>(50, 1.0)));
  EXPECT_EQ(p.bound, fastgpu::run_bound::longest_subtask);
  EXPECT_GE(p.wall.count, 5);
}

TEST(Prediction, TakesMoreDevicesThanCouldBeCounted)
{
  cluster_model c;
  c.nodes.push_back({.name = "far",
                     .count = std::numeric_limits<std::uint32_t>::max(),
                     .devices = {{.name = "gpu", .count = 8}},
                     .bytes_per_second = 1e9});
  const auto p = predict({.subtasks = 1000, .costs = {seconds{1.0}, seconds{3.0}}}, c);
  EXPECT_NEAR(p.wall.count, 3, 0.1);
}

TEST(Prediction, OfNothingIsTheStart)
{
  auto c = here({1});
  c.costs.start = seconds{0.25};
  const auto p = predict(alike(0, 1), c);
  EXPECT_EQ(p.wall, seconds{0.25});
}

TEST(Prediction, GrowsWithWorkAndShrinksWithWorkers)
{
  double before = 0;
  for (const std::uint64_t m : {1, 10, 100, 1000, 10'000}) {
    const auto now = predict(alike(m, 0.01), here({1, 1, 3})).wall.count;
    EXPECT_GT(now, before) << m;
    before = now;
  }
  before = std::numeric_limits<double>::infinity();
  for (const std::size_t workers : {1, 2, 4, 8, 16, 32}) {
    job_profile job{.subtasks = 10'000, .costs = {seconds{0.01}, seconds{0.02}}};
    const auto now = predict(job, here(std::vector<double>(workers, 1.0))).wall.count;
    EXPECT_LT(now, before) << workers;
    before = now;
  }
}

TEST(Prediction, OfFixedBatchesCountsThemAsWholes)
{
  auto c = here({1, 1});
  c.costs.batch_subtasks = 8;
  EXPECT_NEAR(predict(alike(24, 0.01), c).wall.count, 0.16, 1e-9);  // 3 batches for 2 workers
  EXPECT_NEAR(predict(alike(32, 0.01), c).wall.count, 0.16, 1e-9);
  for (auto& d : c.nodes[0].devices) d.batch = seconds{0.008};  // of which a subtask has 0.001
  EXPECT_NEAR(predict(alike(32, 0.01), c).batching.count, 0.016, 1e-9);
  EXPECT_NEAR(predict(alike(10, 1),
                      [] {
                        auto few = here({1, 1, 1, 1});
                        few.costs.batch_subtasks = 32;
                        return few;
                      }())
                  .wall.count,
              3, 0.6);  // no more than a worker's share at a time
  const job_profile endless{.subtasks = ~std::uint64_t{0}, .costs = {seconds{1.0}, seconds{2.0}}};
  EXPECT_GT(predict(endless, c).wall.count, 1e19);
  const job_profile uneven{.subtasks = 4000, .costs = {seconds{0.001}, seconds{0.003}}};
  c.costs.batch_subtasks = 1;
  const auto one = predict(uneven, c).imbalance.count;
  c.costs.batch_subtasks = 64;
  EXPECT_GT(predict(uneven, c).imbalance.count, 4 * one);
}

TEST(Prediction, CountsSteals)
{
  auto c = here({1, 1});
  const auto without = predict(alike(1000, 0.001), c);
  c.costs.steal = seconds{0.001};
  const auto with = predict(alike(1000, 0.001), c);
  EXPECT_GT(with.wall.count, without.wall.count + 0.001);
  EXPECT_LT(with.wall.count, without.wall.count + 0.02);
}

TEST(Prediction, RefusesWhatCannotBe)
{
  const auto refused = [](const job_profile& job, const cluster_model& on, const std::string& what) {
    const auto why = failure_of([&] { (void)predict(job, on); });
    EXPECT_EQ(why.code, errc::invalid_argument);
    EXPECT_NE(why.detail.find(what), std::string::npos) << why.detail;
  };
  refused(alike(1, 0), here({1}), "costs = 0");
  refused(alike(1, std::nan("")), here({1}), "costs = nan");
  refused(alike(1000, 1e308), here({1}), "wall-clock time = ");
  refused({.subtasks = 1}, here({1}), "costs");
  refused(alike(1, 1), {}, "nodes");
  refused(alike(1, 1), here({-1}), "here/host: speed = -1");
  auto c = here({1});
  c.nodes[0].price_per_hour = -3;
  refused(alike(1, 1), c, "here: price_per_hour = -3");
  auto job = alike(1, 1);
  job.input_bytes = -1;
  refused(job, here({1}), "input_bytes = -1");
}

}  // namespace

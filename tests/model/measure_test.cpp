#include <fastgpu/model/measure.hpp>  // first: shows that the header stands alone

#include <chrono>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <fastgpu/fastgpu.hpp>

#include "support/failure_of.hpp"

namespace {

using fastgpu::cluster;
using fastgpu::cluster_model;
using fastgpu::errc;
using fastgpu::measure;
using fastgpu::seconds;
using support::failure_of;

auto count_of(std::int64_t subtasks)
{
  return fastgpu::make_job(
      fastgpu::space<1>{subtasks, fastgpu::by_size{1}}, [](std::uint64_t) -> std::uint64_t { return 1; },
      fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}

double mean_of(const std::vector<seconds>& costs)
{
  double sum = 0;
  for (const auto c : costs) sum += c.count;
  return sum / static_cast<double>(costs.size());
}

TEST(Measure, KnowsWhatAPacedDeviceTakes)
{
  const cluster c{"paced:200"};
  constexpr double tolerance = 0.0008;
  auto profile = measure(c, count_of(1000), {.samples = 40});
  for (int again = 0; again < 5 && mean_of(profile.costs) > 0.005 + tolerance; ++again) {  // other things run here too
    profile = measure(c, count_of(1000), {.samples = 40});
  }
  EXPECT_EQ(profile.subtasks, 1000);
  EXPECT_GE(profile.costs.size(), 39);
  EXPECT_NEAR(mean_of(profile.costs), 0.005, tolerance);
  EXPECT_EQ(profile.value_bytes, 8);
}

TEST(Measure, KeepsToItsBudget)
{
  const cluster c{"paced:50"};
  const auto begin = std::chrono::steady_clock::now();
  const auto profile = measure(c, count_of(100'000), {.samples = 100'000, .budget = seconds{0.2}});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{2});
  EXPECT_GE(profile.costs.size(), 3);
}

TEST(Measure, CountsBytes)
{
  const cluster c{"host:1"};
  const std::vector<float> table(100);
  const std::vector<double> in(1000);
  std::vector<float> out(1000);
  const auto job = fastgpu::make_job(
      fastgpu::space<1>{1000, fastgpu::by_size{10}},
      [](std::uint64_t i, fastgpu::in1<float> t, fastgpu::in1<double> from, fastgpu::out1<float> to) {
        const auto at = static_cast<std::int64_t>(i);
        to[at] = t[0] + static_cast<float>(from[at]);
      },
      fastgpu::broadcast(table), fastgpu::slices(in), fastgpu::gather(out));
  const auto profile = measure(c, job);
  EXPECT_EQ(profile.subtasks, 100);
  EXPECT_DOUBLE_EQ(profile.input_bytes, 80);
  EXPECT_DOUBLE_EQ(profile.output_bytes, 40);
  EXPECT_DOUBLE_EQ(profile.broadcast_bytes, 400);
}

TEST(Measure, OfOneAndOfNothing)
{
  const cluster c{"host:2"};
  EXPECT_EQ(measure(c, count_of(1)).costs.size(), 1);
  EXPECT_EQ(measure(c, count_of(0)).subtasks, 0);
}

TEST(Measure, TellsWhatAKernelFailedWith)
{
  const cluster c{"host:2"};
  const auto job = fastgpu::make_job(
      fastgpu::space<1>{100, fastgpu::by_size{1}},
      [](std::uint64_t) -> std::uint64_t { throw std::runtime_error{"as it was told"}; },
      fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto why = failure_of([&] { (void)measure(c, job); });
  EXPECT_EQ(why.code, errc::kernel_failed);
  EXPECT_NE(why.detail.find("as it was told"), std::string::npos);
}

TEST(Measure, RefusesWhatItCannotDo)
{
  const cluster c{"host:1"};
  EXPECT_EQ(failure_of([&] { (void)measure(c, count_of(9), {.samples = 0}); }).code, errc::invalid_argument);
  EXPECT_EQ(failure_of([&] { (void)measure(c, count_of(9), {.budget = seconds{-1.0}}); }).code, errc::invalid_argument);
  EXPECT_EQ(failure_of([&] { (void)measure(c, count_of(9), {.device = {7}}); }).code, errc::no_usable_device);
}

/// What is predicted from a small sample on one device, against the run on several.
TEST(Measure, PredictsRunsOfPacedDevices)
{
  struct {
    const char* devices;
    std::vector<std::pair<std::uint32_t, double>> speeds;  // count and speed beside the measured 200 a second
    std::int64_t subtasks;
  } const runs[] = {{"paced:200*4", {{4, 1}}, 402},
                    {"paced:200*2,paced:50*2", {{2, 1}, {2, 0.25}}, 250},
                    {"paced:400,paced:100", {{1, 2}, {1, 0.5}}, 251}};
  const cluster one{"paced:200"};
  for (const auto& r : runs) {
    cluster_model model;
    model.nodes.push_back({.name = "here"});
    for (const auto& [count, speed] : r.speeds) {
      model.nodes[0].devices.push_back({.name = "paced", .count = count, .speed = speed});
    }
    const auto job = count_of(r.subtasks);
    cluster c{r.devices};
    double predicted_s = 0;
    double took_s = 0;
    const auto error = [&] { return predicted_s / took_s - 1; };
    for (int tries = 0; tries < 5 && (tries == 0 || std::abs(error()) > 0.1); ++tries) {  // other things run here too
      predicted_s = fastgpu::predict(one, job, model, {.samples = 40}).wall.count;
      took_s = fastgpu::execute(c, job).wait().summary().wall_s;
    }
    EXPECT_NEAR(error(), 0, 0.1) << r.devices << ": " << predicted_s << " s, took " << took_s;
  }
}

}  // namespace

#include "model/forecast.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <fastgpu/fastgpu.hpp>

#include "support/failure_of.hpp"
#include "support/undisturbed.hpp"

namespace {

using fastgpu::cluster;
using fastgpu::device_info;
using fastgpu::errc;
using fastgpu::placement;
using fastgpu::predict_options;
using fastgpu::run_options;
using fastgpu::run_summary;
using fastgpu::seconds;
using fastgpu::detail::forecast_of;
using support::failure_of;

auto count_of(std::int64_t subtasks)
{
  return fastgpu::make_job(
      fastgpu::space<1>{subtasks, fastgpu::by_size{1}}, [](std::uint64_t) -> std::uint64_t { return 1; },
      fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}

device_info device(double speed, std::uint32_t workers = 1, std::uint32_t node = 0)
{
  device_info d;
  d.name = std::string{"d"};
  d.speed = speed;
  d.workers = workers;
  d.node = fastgpu::node_id{node};
  return d;
}

placement all_of(std::uint32_t devices)
{
  placement p;
  for (std::uint32_t d = 0; d < devices; ++d) p.entries.push_back({{d}, "d", {}, 0});
  return p;
}

TEST(Forecast, GoesByTheSpeedsOfAllWorkers)
{
  const auto job = count_of(1000);
  const auto before = forecast_of(job.storage()->data, all_of(2), {device(300, 4), device(100)}, {});
  ASSERT_TRUE(before.predicted);
  EXPECT_EQ(before.why_not, "");
  const auto spans = job.storage()->data.shape.span_log2;
  EXPECT_NEAR(before.predicted->execute.count, 2.5, 0.01) << "spans of 2^" << spans;
  EXPECT_GE(before.predicted->wall.count, 2.5);
}

TEST(Forecast, TakesCostsAsTheyAreGiven)
{
  predict_options how;
  how.costs.start = seconds{0.25};
  how.costs.seal = seconds{0.125};
  how.batch = seconds{0.01};
  const auto before = forecast_of(count_of(100).storage()->data, all_of(1), {device(100)}, how);
  ASSERT_TRUE(before.predicted);
  EXPECT_DOUBLE_EQ(before.predicted->start.count, 0.25);
  EXPECT_DOUBLE_EQ(before.predicted->aggregate.count, 0.125);
  EXPECT_GT(before.predicted->batching.count, 0);
}

TEST(Forecast, CountsLinksOfNodes)
{
  const std::vector<float> table(250'000);
  const auto job = fastgpu::make_job(
      fastgpu::space<1>{100, fastgpu::by_size{1}}, [](std::uint64_t, fastgpu::in1<float> t) { return t[0]; },
      fastgpu::broadcast(table), fastgpu::reduced(fastgpu::sum<float>{}));
  const predict_options how{.latency = seconds{0.01}, .bytes_per_second = 1e7};
  const auto here = forecast_of(job.storage()->data, all_of(1), {device(100)}, how);
  const auto there = forecast_of(job.storage()->data, all_of(1), {device(100, 1, 1)}, how);
  ASSERT_TRUE(here.predicted && there.predicted);
  EXPECT_NEAR(here.predicted->start.count, 0, 1e-9);
  EXPECT_NEAR(there.predicted->start.count, 0.115, 1e-6);  // 1.5 round trips and 1 MB
}

TEST(Forecast, SaysWhichDeviceWasNotMeasured)
{
  const auto before = forecast_of(count_of(9).storage()->data, all_of(2), {device(1), device(0)}, {});
  EXPECT_FALSE(before.predicted);
  EXPECT_EQ(before.why_not, "device 1 (d) has not been measured at this kernel");
}

TEST(Forecast, OfNothing)
{
  const auto before = forecast_of(count_of(0).storage()->data, all_of(1), {device(0)}, {});
  ASSERT_TRUE(before.predicted);
  EXPECT_EQ(before.predicted->wall.count, 0);
  EXPECT_EQ(forecast_of(count_of(0).storage()->data, {}, {}, {}).why_not, "the placement names no device");
}

// Of runs ---------------------------------------------------------------------------------------------------------

run_summary summary_of(cluster& c, std::int64_t subtasks, const run_options& options)
{
  return fastgpu::execute(c, count_of(subtasks), options).wait().summary();
}

TEST(Forecast, OfTheSecondRunIsHeldAgainstIt)
{
  for (const auto& [devices, ideal_s] : {std::pair{"paced:100,paced:50", 0.6}, std::pair{"paced:100*3", 0.3}}) {
    cluster c{devices};
    run_options options;
    options.predict.emplace();
    const auto first = summary_of(c, 45, options);
    EXPECT_FALSE(first.predicted);
    EXPECT_NE(first.not_predicted.find("has not been measured at this kernel"), std::string::npos);
    EXPECT_NE(to_text(first).find("no prediction: device 0 ("), std::string::npos);

    const auto second = support::undisturbed(1.03 * ideal_s, [&] { return summary_of(c, 90, options); });
    EXPECT_EQ(second.not_predicted, "");
    ASSERT_TRUE(second.predicted) << devices;
    EXPECT_GE(second.wall_s, 0.25);
    EXPECT_NEAR(second.predicted->wall.count / second.wall_s, 1, 0.15) << devices << "\n" << to_text(second);
    EXPECT_NE(to_text(second).find("\nexecute "), std::string::npos);
  }
}

TEST(Forecast, IsNotMadeUnasked)
{
  cluster c{"paced:2000"};
  for (int i = 0; i < 2; ++i) {
    const auto s = summary_of(c, 10, {});
    EXPECT_FALSE(s.predicted);
    EXPECT_EQ(s.not_predicted, "");
    EXPECT_EQ(to_text(s).find("predict"), std::string::npos);
  }
}

TEST(Forecast, RefusesWhatIsNoTime)
{
  cluster c{"host:1"};
  run_options options;
  options.predict = predict_options{.batch = seconds{-1.0}};
  EXPECT_EQ(failure_of([&] { (void)summary_of(c, 10, options); }).code, errc::invalid_argument);
  options.predict = predict_options{.bytes_per_second = 0};
  EXPECT_EQ(failure_of([&] { (void)summary_of(c, 10, options); }).code, errc::invalid_argument);
}

}  // namespace

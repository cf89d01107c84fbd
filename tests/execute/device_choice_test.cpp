#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/device_cluster.hpp"
#include "support/failure_of.hpp"
#include "support/host_like_device.hpp"

namespace {

using fastgpu::device_info;
using fastgpu::errc;
using support::failure_of;

/// Which devices a run may use, seen from inside: the devices are fakes.
class DeviceChoice : public testing::Test {
 protected:
  void use(std::vector<device_info> infos, const std::string& list = {})
  {
    std::vector<std::unique_ptr<fastgpu::detail::device>> devices;
    for (auto& info : infos) {
      info.id = {static_cast<std::uint32_t>(devices.size())};
      devices.push_back(std::make_unique<support::host_like_device>(info));
    }
    cluster_ = support::cluster_of(std::move(devices), list);
  }

  template <class Job>
  fastgpu::run_summary run(const Job& job, const fastgpu::run_options& options = {})
  {
    return support::start(cluster_, job, options).wait().summary();
  }

  fastgpu::detail::ref<fastgpu::detail::cluster_core> cluster_;
};

/// Slow enough that every device that may take part does.
struct third {
  double operator()(std::uint64_t i) const
  {
    std::this_thread::sleep_for(std::chrono::microseconds{20});
    return static_cast<double>(i) / 3;
  }
};
struct portable_third : third {
  static constexpr bool portable_arithmetic = true;
};

template <class F>
auto sum_job(F f)
{
  return fastgpu::make_job(fastgpu::space(400, fastgpu::by_size{1}), f, fastgpu::reduced(fastgpu::sum<double>{}));
}

device_info named(std::string name, std::string numeric_class, std::uint32_t workers = 1, std::string backend = "host")
{
  device_info info;
  info.name = std::move(name);
  info.numeric_class = std::move(numeric_class);
  info.workers = workers;
  info.backend = std::move(backend);
  return info;
}

TEST_F(DeviceChoice, KeepsAnOrderedSumToTheStrongestNumericClass)
{
  use({named("a", "x"), named("b", "y", 2), named("c", "x")});
  const auto summary = run(sum_job(third{}));
  EXPECT_EQ(summary.outcome, fastgpu::outcome_kind::done);
  const auto used = summary.devices[1].subtasks > 0;
  EXPECT_EQ(summary.numeric_class, used ? "y" : "x");
  EXPECT_EQ(used, summary.devices[0].subtasks + summary.devices[2].subtasks == 0);
}

TEST_F(DeviceChoice, UsesAllClassesWhereItDoesNotMatter)
{
  use({named("a", "x"), named("b", "y")});
  const auto least = [](const fastgpu::run_summary& s) { return std::min(s.devices[0].batches, s.devices[1].batches); };
  EXPECT_GT(least(run(sum_job(portable_third{}))), 0u);
  EXPECT_GT(least(run(sum_job(third{}), {.reduction = fastgpu::reduction::exact})), 0u);
  EXPECT_GT(least(run(sum_job(third{}), {.mix_numeric_classes = true})), 0u);
}

TEST_F(DeviceChoice, LeavesOutDevicesWithoutAnEntryForTheKernel)
{
  use({named("a", "x"), named("gpu", "x", 1, "gpu")});
  const auto summary = run(sum_job(third{}));
  EXPECT_EQ(summary.outcome, fastgpu::outcome_kind::done);
  EXPECT_EQ(summary.devices[1].batches, 0u);
}

TEST_F(DeviceChoice, RefusesANamedDeviceWithoutAnEntryForTheKernel)
{
  use({named("a", "x"), named("gpu", "x", 1, "gpu")}, "a,gpu");
  const auto why = failure_of([&] { (void)run(sum_job(third{})); });
  EXPECT_EQ(why.code, errc::kernel_not_registered);
  EXPECT_EQ(why.detail,
            "this kernel, which has no registered name, has no entry for back end 'gpu' of device 1 (gpu)");
}

TEST_F(DeviceChoice, RefusesWhenNoDeviceHasAnEntry)
{
  use({named("gpu", "x", 1, "gpu")});
  EXPECT_EQ(failure_of([&] { (void)run(sum_job(third{})); }).code, errc::kernel_not_registered);
}

TEST_F(DeviceChoice, MeetsRequirements)
{
  auto small = named("small", "x");
  small.memory_bytes = 100;
  auto big = named("big", "x");
  big.memory_bytes = 1000;
  big.labels = {"blue"};
  use({small, big});
  EXPECT_EQ(run(sum_job(third{}), {.need = {.memory_bytes = 500, .labels = {"blue"}}}).devices[0].batches, 0u);
  const auto why = failure_of([&] { (void)run(sum_job(third{}), {.need = {.memory_bytes = 5000}}); });
  EXPECT_EQ(why.code, errc::no_matching_device);
  EXPECT_EQ(
      why.detail,
      "no device meets the job's requirements; the nearest, device 0 (small), needs 5000 bytes of memory and has 100");
}

TEST_F(DeviceChoice, KnowsADevicesSpeedAtEachKernelApart)
{
  use({named("a", "x")});
  const auto job = fastgpu::make_job(fastgpu::space(20'000, fastgpu::by_size{1}), [](std::uint64_t) {});
  const auto other = fastgpu::make_job(fastgpu::space(10, fastgpu::by_size{1}), third{},
                                       fastgpu::reduced(fastgpu::sum<double>{}));
  const auto speed_at = [&](const auto& what) { return cluster_->describe(&what.storage()->data).at(0).speed; };
  EXPECT_EQ(speed_at(job), 0);
  run(job);
  const auto speed = speed_at(job);
  EXPECT_GT(speed, 0);
  EXPECT_EQ(cluster_->describe().at(0).speed, speed);
  EXPECT_EQ(speed_at(other), 0);
  run(other);
  EXPECT_EQ(speed_at(job), speed);
  EXPECT_EQ(cluster_->describe().at(0).speed, speed_at(other));
}

}  // namespace

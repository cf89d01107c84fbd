#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "device/host_device.hpp"
#include "support/async_device.hpp"
#include "support/device_cluster.hpp"
#include "support/timed_device.hpp"

/// @file
/// Runs over devices whose batches are under way for a while: the executor's side of what a GPU will be.

namespace {

using fastgpu::detail::cluster_core;
using fastgpu::detail::ref;
using support::start;

/// `async` asynchronous devices, and a host device beside them where `host` is set.
ref<cluster_core> cluster_of(std::uint32_t async, support::async_device::options how, bool host = false)
{
  std::vector<std::unique_ptr<fastgpu::detail::device>> devices;
  for (std::uint32_t i = 0; i < async; ++i) {
    devices.push_back(std::make_unique<support::async_device>(fastgpu::device_id{i}, "async", how));
  }
  if (host) devices.push_back(std::make_unique<fastgpu::detail::host_device>(fastgpu::device_id{async}, 1, "host:1"));
  return support::cluster_of(std::move(devices));
}

auto harmonic(std::int64_t n, std::int64_t granule)
{
  return fastgpu::make_job(
      fastgpu::space(n, fastgpu::by_size{granule}),
      [](std::uint64_t i) { return 1.0 / (1.0 + static_cast<double>(i)); }, fastgpu::reduced(fastgpu::sum<double>{}));
}

TEST(AsyncDevice, GivesTheBitsOfTheHost)
{
  const auto job = harmonic(20000, 7);
  fastgpu::cluster host{"host:1"};
  auto expected = fastgpu::execute(host, job);
  const double sum = fastgpu::aggregate(expected);
  for (std::uint32_t devices : {1u, 3u}) {
    for (std::uint32_t in_flight : {1u, 2u, 5u}) {
      for (std::uint32_t polls : {0u, 1u, 40u}) {
        for (double seal_every : {0.0, 1e-4}) {
          const auto on = cluster_of(devices, {in_flight, polls}, devices == 3);
          auto run = start(on, job, {.seal_every = fastgpu::seconds{seal_every}});
          EXPECT_EQ(fastgpu::aggregate(run).get(), sum) << devices << ' ' << in_flight << ' ' << polls;
        }
      }
    }
  }
}

TEST(AsyncDevice, IsWaitedForWhenARunIsCancelled)
{
  const auto on = cluster_of(2, {2, 1000});
  for (int i = 0; i < 20; ++i) {
    auto run = start(on, harmonic(100000, 1), {.batches = fastgpu::batching::fixed(1)});
    std::this_thread::sleep_for(std::chrono::microseconds{200 * i});
    run.cancel();
    EXPECT_EQ(run.wait().kind(), fastgpu::outcome_kind::cancelled);
  }
}

TEST(AsyncDevice, ReportsAKernelsFailureFromAPoll)
{
  const auto on = cluster_of(1, {2, 3});
  auto run = start(on, fastgpu::make_job(fastgpu::space(1000, fastgpu::by_size{1}), [](std::uint64_t i) {
                     if (i == 500) throw std::runtime_error{"late"};
                   }));
  const auto outcome = run.wait();
  EXPECT_EQ(outcome.kind(), fastgpu::outcome_kind::failed);
  EXPECT_EQ(outcome.summary().why.detail, "subtask 500 on device 0 (async): late");
}

/// The usual size of an adaptive batch on a device that needs 0.1 ms a subtask and wants batches of 2 ms, eight of them
/// under way: of those in the last third, before what is left makes them small.
std::uint32_t usual_batch(std::uint32_t first)
{
  auto made = std::make_unique<support::timed_device>(
      fastgpu::device_id{0},
      support::timed_device::options{.in_flight = 8, .a_subtask = std::chrono::microseconds{100}, .hints = {first, 2e6}});
  const auto& sizes = made->sizes();
  std::vector<std::unique_ptr<fastgpu::detail::device>> devices;
  devices.push_back(std::move(made));
  const auto on = support::cluster_of(std::move(devices));
  auto run = start(on, harmonic(1600, 1));
  (void)fastgpu::aggregate(run);
  std::vector<std::uint32_t> late;
  std::uint32_t begun = 0;
  for (const auto size : sizes) {
    if (begun >= 1000 && begun < 1400) late.push_back(size);
    begun += size;
  }
  EXPECT_EQ(begun, 1600u);
  if (late.empty()) return 0;
  std::sort(late.begin(), late.end());
  return late[late.size() / 2];
}

TEST(AsyncDevice, GetsBatchesOfTheLengthThatItWants)
{
  for (const std::uint32_t first : {1u, 300u}) {
    EXPECT_NEAR(usual_batch(first), 20, 6) << "begun with " << first;
  }
}

}  // namespace

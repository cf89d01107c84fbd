#include "support/emulated_backend.hpp"

#include "device/device.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/job.hpp>

#include "cuda/cuda_device.hpp"
#include "device/faulty_device.hpp"
#include "device/host_device.hpp"
#include "device/numeric_class.hpp"
#include "device/paced_device.hpp"
#include "support/async_device.hpp"
#include "support/device_conformance.hpp"
#include "support/fingerprint.hpp"
#include "support/ordered_reference.hpp"
#include "support/partial_value.hpp"
#include "support/sum_of_hundred.hpp"

/// @file
/// What every device does. A new one is one more line in host_devices or gpus.

namespace {

using fastgpu::by_size;
using fastgpu::errc;
using fastgpu::extents;
using fastgpu::index;
using fastgpu::interval;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::cuda_device;
using fastgpu::detail::fault_plan;
using fastgpu::detail::faulty_device;
using fastgpu::detail::fold_kind;
using fastgpu::detail::host_device;
using fastgpu::detail::paced_device;
using support::device_case;
using support::DeviceConformance;
using support::HostDeviceConformance;
using support::sum_of_hundred;
using support::value_of;

using intervals = std::vector<interval>;

constexpr auto number = support::number_of_device;
constexpr fault_plan no_faults{.fail_share = 0, .stall_share = 0, .die_share = 0};
constexpr fault_plan refuses{.seed = 1, .fail_share = 0.4, .stall_share = 0, .die_share = 0};
constexpr fault_plan stalls{.seed = 1, .fail_share = 0, .stall_share = 0.3, .stall_ms = 0.5, .die_share = 0};

const device_case host_devices[] = {
    {"Host", [] { return std::make_unique<host_device>(number, 1, "host:1"); }},
    {"HostOfThreads", [] { return std::make_unique<host_device>(number, 3, "host:3"); }},
    {"Paced", [] { return std::make_unique<paced_device>(number, 1e7, "paced:1e7"); }},
    {"FaultyWithoutFaults", [] { return std::make_unique<faulty_device>(number, no_faults, "faulty:0"); }},
    {"FaultyThatRefuses", [] { return std::make_unique<faulty_device>(number, refuses, "faulty:1"); }},
    {"FaultyThatStalls", [] { return std::make_unique<faulty_device>(number, stalls, "faulty:1"); }},
    {"Asynchronous", [] { return std::make_unique<support::async_device>(number, "async"); }},
};

device_case gpu(std::string name, support::gpu_faults faults, fastgpu::gpu_options options = {})
{
  return {std::move(name),
          [faults, options] {
            return std::make_unique<cuda_device>(number, std::make_unique<support::fake_gpu>(faults), "gpu", options);
          },
          "cuda"};
}
const device_case gpus[] = {
    gpu("Gpu", {.seed = 1}),
    gpu("GpuInAnotherOrder", {.seed = 2}),
    gpu("GpuOfLittleMemory", {.seed = 3, .memory_bytes = 50'000}),
    gpu("GpuThatMergesVectors", {.seed = 4}, {.resident_bytes_min = 1}),
};

constexpr auto name_of = [](const auto& parameter) { return parameter.param.name; };

INSTANTIATE_TEST_SUITE_P(Of, DeviceConformance, testing::ValuesIn(host_devices), name_of);
INSTANTIATE_TEST_SUITE_P(Of, HostDeviceConformance, testing::ValuesIn(host_devices), name_of);
INSTANTIATE_TEST_SUITE_P(OfGpus, DeviceConformance, testing::ValuesIn(gpus), name_of);

TEST_P(DeviceConformance, DescribesItself)
{
  const auto& info = device_->info();
  EXPECT_EQ(info.id, number);
  EXPECT_FALSE(info.name.empty());
  EXPECT_FALSE(info.kind.empty());
  EXPECT_EQ(info.backend, GetParam().backend);
  EXPECT_GE(info.workers, 1u);
  EXPECT_GT(info.memory_bytes, 0u);
  const bool on_host = info.backend == "host";
  EXPECT_EQ(info.compute_capability, on_host ? 0 : 90);
  EXPECT_EQ(info.numeric_class, on_host ? fastgpu::detail::host_numeric_class() : "cuda sm_90");
}

TEST_P(DeviceConformance, TakesAtLeastOneBatch)
{
  const auto job = sum_of_hundred();
  EXPECT_GE(open(job.data(), fold_kind::single)->in_flight_max(), 1u);
}

TEST_P(DeviceConformance, SealsWhatItFolded)
{
  const auto job = sum_of_hundred();
  const auto session = open(job.data(), fold_kind::single);
  run_all(*session, {{4, 6}, {0, 1}, {9, 10}});
  const auto sealed = session->seal();
  ASSERT_TRUE(sealed.values);
  EXPECT_EQ(sealed.values->fold_set().intervals(), (intervals{{0, 1}, {4, 6}, {9, 10}}));
  EXPECT_EQ(sealed.counter, 4u);
  EXPECT_EQ(value_of<std::uint64_t>(*sealed.values), 45u + 990 + 945);  // 0-9, 40-59, 90-99
}

TEST_P(DeviceConformance, BeginsAFreshPartialWithEachSeal)
{
  const auto job = sum_of_hundred();
  const auto session = open(job.data(), fold_kind::single);
  run_all(*session, {{0, 2}});
  const auto first = session->seal();
  run_all(*session, {{2, 10}});
  const auto second = session->seal();
  ASSERT_TRUE(first.values);
  ASSERT_TRUE(second.values);
  EXPECT_EQ(first.values->fold_set().intervals(), (intervals{{0, 2}}));
  EXPECT_EQ(first.counter, 2u);
  EXPECT_EQ(second.values->fold_set().intervals(), (intervals{{2, 10}}));
  EXPECT_EQ(second.counter, 8u);
  first.values->absorb(std::move(*second.values));
  EXPECT_EQ(value_of<std::uint64_t>(*first.values), 4950u);
}

TEST_P(DeviceConformance, SealsNothingWhereNothingWasFolded)
{
  const auto job = sum_of_hundred();
  const auto session = open(job.data(), fold_kind::single);
  const auto none = session->seal();
  EXPECT_FALSE(none.values);
  EXPECT_EQ(none.counter, 0u);
  run_all(*session, {{0, 10}});
  EXPECT_TRUE(session->seal().values);
  const auto again = session->seal();
  EXPECT_FALSE(again.values);
  EXPECT_EQ(again.counter, 0u);
}

TEST_P(DeviceConformance, CanBeClosedWithNothingSealed)
{
  const auto job = make_job(
      space{100, by_size{10}}, [](std::uint64_t i) { return static_cast<double>(i); }, reduced(sum<double>{}));
  for (const auto fold : {fold_kind::single, fold_kind::exact, fold_kind::ordered}) {
    (void)open(job.data(), fold);
    const auto session = open(job.data(), fold);
    run_all(*session, {{0, 5}});
  }
}

TEST_P(DeviceConformance, KeepsSessionsApart)
{
  const auto job = sum_of_hundred();
  const auto one = open(job.data(), fold_kind::single, 0);
  const auto other = open(job.data(), fold_kind::single, device_->info().workers - 1);
  run_all(*one, {{0, 3}});
  run_all(*other, {{0, 4}});
  EXPECT_EQ(one->seal().counter, 3u);
  EXPECT_EQ(other->seal().counter, 4u);
}

TEST_P(DeviceConformance, FoldsInShapeOrdered1)
{
  using support::fingerprint;
  using support::mark_of;
  using support::trace_merges;
  const auto job = make_job(
      space{3000, by_size{700}}, [](std::uint64_t i) { return mark_of(i); }, reduced(trace_merges<>{}));
  const auto session = open(job.data(), fold_kind::ordered);
  run_all(*session, {{3, 5}, {0, 2}, {2, 3}});
  const auto sealed = session->seal();
  ASSERT_TRUE(sealed.values);
  std::vector<std::vector<fingerprint<>>> subtasks(5);
  for (std::uint64_t i = 0; i < 3000; ++i) subtasks[i / 700].push_back(mark_of(i));
  EXPECT_EQ(value_of<fingerprint<>>(*sealed.values), reference::merge_ordered(trace_merges<>{}, subtasks, 0, true));
}

TEST_P(DeviceConformance, FoldsExactly)
{
  const auto giants_around_ones = [](std::uint64_t i) {
    if (i == 0) return 0x1p+60;
    return i == 1001 ? -0x1p+60 : 1.0;
  };
  const auto job = make_job(space{1002, by_size{100}}, giants_around_ones, reduced(sum<double>{}));
  const auto session = open(job.data(), fold_kind::exact);
  run_all(*session, {{0, 4}, {4, 11}});
  const auto sealed = session->seal();
  EXPECT_EQ(value_of<double>(*sealed.values), 1000.0);
}

TEST_P(DeviceConformance, FoldsVectors)
{
  const auto job = make_job(
      space{100, by_size{9}},
      [](std::uint64_t i, fastgpu::tally<sum<double>> bins) { bins.merge(static_cast<std::int64_t>(i % 3), 1); },
      reduced(sum<double>{}, 3));
  for (const auto fold : {fold_kind::single, fold_kind::ordered}) {
    const auto session = open(job.data(), fold);
    run_all(*session, {{5, 12}, {0, 5}});
    const auto sealed = session->seal();
    ASSERT_TRUE(sealed.values);
    EXPECT_EQ((value_of<std::array<double, 3>>(*sealed.values)), (std::array<double, 3>{34, 33, 33}));
  }
}

TEST_P(DeviceConformance, WritesOutputsAndFillsBorders)
{
  // A blur of three by three over a picture of one dot.
  std::vector<int> in(7 * 9, 0);
  in[2 * 9 + 8] = 9;
  std::vector<int> out(7 * 9, -1);
  const auto job = make_job(
      space{extents{7, 9}, by_size{3, 4}},
      [](index<2> at, fastgpu::in2<int> from, fastgpu::out2<int> to) {
        int total = 0;
        for (int y = -1; y <= 1; ++y) {
          for (int x = -1; x <= 1; ++x) total += from(at[0] + y, at[1] + x);
        }
        to(at) = total;
      },
      fastgpu::slices(fastgpu::matrix(in.data(), 7, 9), 1, fastgpu::border::reflect_101),
      fastgpu::gather(fastgpu::matrix(out.data(), 7, 9)));
  const auto session = open(job.data(), fold_kind::none);
  run_all(*session, {{0, 9}});
  const auto sealed = session->seal();
  ASSERT_TRUE(sealed.values);
  EXPECT_EQ(sealed.values->fold_set().count(), 9u);
  std::vector<int> expected(7 * 9, 0);
  for (std::size_t y = 1; y <= 3; ++y) {
    expected[y * 9 + 7] = 9;
    expected[y * 9 + 8] = 9;
  }
  EXPECT_EQ(out, expected);
}

TEST_P(DeviceConformance, RefusesToFoldASubtaskTwice)
{
  const auto job = sum_of_hundred();
  const auto session = open(job.data(), fold_kind::single);
  run_all(*session, {{0, 5}});
  ASSERT_EQ(run(*session, {4, 6}), batch_status::kernel_failed);
  EXPECT_EQ(session->why().code, errc::internal);
}

}  // namespace

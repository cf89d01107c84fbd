#include "device/device.hpp"  // first: shows that the header stands alone

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/job.hpp>

#include "support/device_conformance.hpp"
#include "support/partial_value.hpp"

/// @file
/// What every device of the host does with kernels that fail, and what it gives them. The devices are in conformance_test.cpp.

namespace {

using fastgpu::block;
using fastgpu::by_size;
using fastgpu::extents;
using fastgpu::host_context;
using fastgpu::index;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::fold_kind;
using support::HostDeviceConformance;

std::uint64_t fails_at_57(std::uint64_t i)
{
  if (i == 57) throw std::runtime_error{"57 is no good"};
  return i;
}

TEST_P(HostDeviceConformance, NamesTheSubtaskWhoseKernelThrew)
{
  const auto job = make_job(space{100, by_size{10}}, fails_at_57, reduced(sum<std::uint64_t>{}));
  const auto session = open(job.data(), fold_kind::single);
  run_all(*session, {{0, 3}});
  expect_kernel_failure(*session, {3, 9}, 5, "57 is no good");
}

TEST_P(HostDeviceConformance, NamesTheSubtaskInEveryWayToFold)
{
  const auto as_double = [](std::uint64_t i) { return static_cast<double>(fails_at_57(i)); };
  const auto sums = make_job(space{100, by_size{10}}, as_double, reduced(sum<double>{}));
  for (const auto fold : {fold_kind::single, fold_kind::exact, fold_kind::ordered}) {
    expect_kernel_failure(*open(sums.data(), fold), {0, 10}, 5, "57 is no good");
  }
  const auto nothing = make_job(space{100, by_size{10}}, [](std::uint64_t i) { (void)fails_at_57(i); });
  expect_kernel_failure(*open(nothing.data(), fold_kind::none), {0, 10}, 5, "57 is no good");

  const auto vectors = make_job(
      space{100, by_size{10}},
      [](std::uint64_t i, fastgpu::tally<sum<std::uint64_t>> bins) { bins.merge(0, fails_at_57(i)); },
      reduced(sum<std::uint64_t>{}, 1));
  for (const auto fold : {fold_kind::single, fold_kind::ordered}) {
    expect_kernel_failure(*open(vectors.data(), fold), {0, 10}, 5, "57 is no good");
  }

  const auto tiles = make_job(
      space{extents{10, 10}, by_size{5, 2}},
      [](index<2> at) { return fails_at_57(static_cast<std::uint64_t>(at[0] * 10 + at[1])); },
      reduced(sum<std::uint64_t>{}));
  expect_kernel_failure(*open(tiles.data(), fold_kind::single), {0, 10}, 8, "57 is no good");

  const auto blocks = make_job(
      space{100, by_size{10}}, [](block<1> b) { return fails_at_57(static_cast<std::uint64_t>(b.begin[0]) + 7); },
      reduced(sum<std::uint64_t>{}));
  expect_kernel_failure(*open(blocks.data(), fold_kind::single), {0, 10}, 5, "57 is no good");

  std::vector<std::uint64_t> data(100, 0);
  const auto with_halo = make_job(
      space{100, by_size{10}},
      [](std::uint64_t i, fastgpu::in1<std::uint64_t> in) { return in(static_cast<std::int64_t>(i)) + fails_at_57(i); },
      fastgpu::slices(data, 1, fastgpu::border::replicate), reduced(sum<std::uint64_t>{}));
  expect_kernel_failure(*open(with_halo.data(), fold_kind::single), {0, 10}, 5, "57 is no good");
}

TEST_P(HostDeviceConformance, SurvivesExceptionsThatAreNone)
{
  const auto job = make_job(
      space{100, by_size{10}},
      [](std::uint64_t i) {
        if (i == 30) throw 42;
        return i;
      },
      reduced(sum<std::uint64_t>{}));
  expect_kernel_failure(*open(job.data(), fold_kind::single), {0, 10}, 3, "an exception that is no std::exception");
}

TEST_P(HostDeviceConformance, NamesTheSubtaskThatRaisedTheErrorFlag)
{
  const auto job = make_job(
      space{100, by_size{10}},
      [](host_context& context, block<1> b) {
        if (b.subtask == 5) context.fail("does not converge");
        return static_cast<std::uint64_t>(b.subtask);
      },
      reduced(sum<std::uint64_t>{}));
  expect_kernel_failure(*open(job.data(), fold_kind::single), {5, 6}, 5, "does not converge");
  expect_kernel_failure(*open(job.data(), fold_kind::single), {0, 10}, 5, "does not converge");
}

TEST_P(HostDeviceConformance, CanBeOpenedAgainAfterAFailure)
{
  const auto job = make_job(space{100, by_size{10}}, fails_at_57, reduced(sum<std::uint64_t>{}));
  {
    const auto session = open(job.data(), fold_kind::single);
    ASSERT_EQ(run(*session, {5, 6}), batch_status::kernel_failed);
  }
  const auto session = open(job.data(), fold_kind::single);
  run_all(*session, {{0, 5}});
  EXPECT_EQ(session->seal().counter, 5u);
}

TEST_P(HostDeviceConformance, GivesKernelsItsContext)
{
  struct answer {
    std::uint32_t device = 0;
    std::uint32_t stops = 0;
    std::uint32_t misplaced = 0;
  };
  const auto job = make_job(
      space{8, by_size{1}},
      [](host_context& context, block<1> b) {
        answer a;
        a.device = context.device().value;
        a.stops = context.stop_requested() ? 1 : 0;
        // More with each block, and all of it writable.
        const auto bytes = static_cast<std::size_t>(b.begin[0]) * 1000 + 1;
        auto* memory = context.scratch(bytes);
        a.misplaced = reinterpret_cast<std::uintptr_t>(memory) % 64 != 0;
        for (std::size_t i = 0; i < bytes; ++i) memory[i] = std::byte{1};
        return a;
      },
      reduced(fastgpu::commutative_merge<answer>([](const answer& a, const answer& b) {
        return answer{a.device + b.device, a.stops + b.stops, a.misplaced + b.misplaced};
      })));
  const auto session = open(job.data(), fold_kind::single);
  run_all(*session, {{0, 4}});
  stop_ = 1;
  run_all(*session, {{4, 8}});
  const auto sealed = session->seal();
  const auto a = support::value_of<answer>(*sealed.values);
  EXPECT_EQ(a.device, 8 * support::number_of_device.value);
  EXPECT_EQ(a.stops, 4u);
  EXPECT_EQ(a.misplaced, 0u);
}

}  // namespace

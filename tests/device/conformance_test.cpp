#include "device/device.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/job.hpp>

#include "device/faulty_device.hpp"
#include "device/host_device.hpp"
#include "device/paced_device.hpp"
#include "support/async_device.hpp"
#include "support/fingerprint.hpp"
#include "support/ordered_reference.hpp"

/// @file
/// What every device does. A new one is one more line in all_devices.

namespace {

using fastgpu::block;
using fastgpu::by_size;
using fastgpu::device_id;
using fastgpu::errc;
using fastgpu::extents;
using fastgpu::failure;
using fastgpu::host_context;
using fastgpu::index;
using fastgpu::interval;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::batch_status;
using fastgpu::detail::device;
using fastgpu::detail::device_session;
using fastgpu::detail::fault_plan;
using fastgpu::detail::faulty_device;
using fastgpu::detail::fold_kind;
using fastgpu::detail::host_device;
using fastgpu::detail::job_data;
using fastgpu::detail::paced_device;
using fastgpu::detail::partial;
using fastgpu::detail::sealed_partial;

using intervals = std::vector<interval>;

constexpr device_id number{3};
constexpr fault_plan no_faults{.fail_share = 0, .stall_share = 0, .die_share = 0};
constexpr fault_plan refuses{.seed = 1, .fail_share = 0.4, .stall_share = 0, .die_share = 0};
constexpr fault_plan stalls{.seed = 1, .fail_share = 0, .stall_share = 0.3, .stall_ms = 0.5, .die_share = 0};

struct device_case {
  std::string name;
  std::function<std::unique_ptr<device>()> make;
};
void PrintTo(const device_case& c, std::ostream* out) { *out << c.name; }

const device_case all_devices[] = {
    {"Host", [] { return std::make_unique<host_device>(number, 1, "host:1"); }},
    {"HostOfThreads", [] { return std::make_unique<host_device>(number, 3, "host:3"); }},
    {"Paced", [] { return std::make_unique<paced_device>(number, 1e7, "paced:1e7"); }},
    {"FaultyWithoutFaults", [] { return std::make_unique<faulty_device>(number, no_faults, "faulty:0"); }},
    {"FaultyThatRefuses", [] { return std::make_unique<faulty_device>(number, refuses, "faulty:1"); }},
    {"FaultyThatStalls", [] { return std::make_unique<faulty_device>(number, stalls, "faulty:1"); }},
    {"Asynchronous", [] { return std::make_unique<support::async_device>(number, "async"); }},
};

/// The sum of the numbers below a hundred, `granule` of them a subtask.
auto sum_of_hundred(std::int64_t granule = 10)
{
  return make_job(
      space{100, by_size{granule}}, [](std::uint64_t i) { return i; }, reduced(sum<std::uint64_t>{}));
}

class DeviceConformance : public testing::TestWithParam<device_case> {
 protected:
  std::unique_ptr<device_session> open(const job_data& job, fold_kind fold, std::uint32_t worker = 0)
  {
    return device_->open({&job, fold, &stop_, worker});
  }

  /// Runs one batch to its end, again as long as the device refuses it.
  static batch_status run(device_session& on, interval batch)
  {
    for (int attempt = 0; attempt < 100; ++attempt) {
      auto status = on.launch(batch);
      if (status == batch_status::queued) {
        interval done;
        for (int polls = 0; polls < 1000 && status == batch_status::queued; ++polls) status = on.poll(done);
        EXPECT_EQ(done, batch);
      }
      if (status != batch_status::failed) return status;
      EXPECT_EQ(on.why().code, errc::device_failed);
    }
    return batch_status::failed;
  }
  static void run_all(device_session& on, const intervals& batches)
  {
    for (const auto& batch : batches) ASSERT_EQ(run(on, batch), batch_status::done);
  }

  template <class V>
  static V value_of(partial& of)
  {
    V value;
    of.value(&value);
    return value;
  }

  /// Launches `batch` and expects the kernel to fail at `subtask`.
  static void expect_kernel_failure(device_session& on, interval batch, std::uint32_t subtask,
                                    const std::string& detail)
  {
    ASSERT_EQ(run(on, batch), batch_status::kernel_failed);
    EXPECT_EQ(on.failed_subtask(), subtask);
    EXPECT_EQ(on.why().code, errc::kernel_failed);
    EXPECT_EQ(on.why().detail, detail);
  }

  std::unique_ptr<device> device_ = GetParam().make();
  int stop_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Of, DeviceConformance, testing::ValuesIn(all_devices),
                         [](const auto& parameter) { return parameter.param.name; });

TEST_P(DeviceConformance, DescribesItself)
{
  const auto& info = device_->info();
  EXPECT_EQ(info.id, number);
  EXPECT_FALSE(info.name.empty());
  EXPECT_FALSE(info.kind.empty());
  EXPECT_EQ(info.backend, "host");
  EXPECT_GE(info.workers, 1u);
  EXPECT_GT(info.memory_bytes, 0u);
  EXPECT_EQ(info.compute_capability, 0);
  EXPECT_EQ(info.numeric_class, "host");
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
      [](std::uint64_t i, fastgpu::tally<sum<std::uint64_t>> bins) { bins.merge(static_cast<std::int64_t>(i % 3), 1); },
      reduced(sum<std::uint64_t>{}, 3));
  for (const auto fold : {fold_kind::single, fold_kind::ordered}) {
    const auto session = open(job.data(), fold);
    run_all(*session, {{5, 12}, {0, 5}});
    const auto sealed = session->seal();
    ASSERT_TRUE(sealed.values);
    EXPECT_EQ((value_of<std::array<std::uint64_t, 3>>(*sealed.values)), (std::array<std::uint64_t, 3>{34, 33, 33}));
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

// Kernels that fail -----------------------------------------------------------------------------------------------

std::uint64_t fails_at_57(std::uint64_t i)
{
  if (i == 57) throw std::runtime_error{"57 is no good"};
  return i;
}

TEST_P(DeviceConformance, NamesTheSubtaskWhoseKernelThrew)
{
  const auto job = make_job(space{100, by_size{10}}, fails_at_57, reduced(sum<std::uint64_t>{}));
  const auto session = open(job.data(), fold_kind::single);
  run_all(*session, {{0, 3}});
  expect_kernel_failure(*session, {3, 9}, 5, "57 is no good");
}

TEST_P(DeviceConformance, NamesTheSubtaskInEveryWayToFold)
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

TEST_P(DeviceConformance, SurvivesExceptionsThatAreNone)
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

TEST_P(DeviceConformance, NamesTheSubtaskThatRaisedTheErrorFlag)
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

TEST_P(DeviceConformance, CanBeOpenedAgainAfterAFailure)
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

TEST_P(DeviceConformance, GivesKernelsItsContext)
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
  const auto a = value_of<answer>(*sealed.values);
  EXPECT_EQ(a.device, 8 * number.value);
  EXPECT_EQ(a.stops, 4u);
  EXPECT_EQ(a.misplaced, 0u);
}

// What some devices do beside -------------------------------------------------------------------------------------

TEST(PacedDevice, TakesTheTimeThatItsRateSays)
{
  using clock = std::chrono::steady_clock;
  const int running = 0;
  const auto job = sum_of_hundred(1);
  paced_device device{{0}, 1000, "paced:1000"};
  const auto session = device.open({&job.data(), fold_kind::single, &running, 0});
  const auto begin = clock::now();
  for (std::uint32_t s = 0; s < 30; ++s) ASSERT_EQ(session->launch({s, s + 1}), batch_status::done);
  EXPECT_GE(clock::now() - begin, std::chrono::milliseconds{29});
}

TEST(PacedDevice, SleepsNoLongerThanTheRunLasts)
{
  using clock = std::chrono::steady_clock;
  const int over = 1;
  const auto job = sum_of_hundred(1);
  paced_device device{{0}, 0.01, "paced:0.01"};  // 100 seconds a subtask
  const auto session = device.open({&job.data(), fold_kind::single, &over, 0});
  const auto begin = clock::now();
  ASSERT_EQ(session->launch({0, 1}), batch_status::done);
  EXPECT_LT(clock::now() - begin, std::chrono::seconds{10});
}

/// What becomes of a hundred batches of one, a letter each: done, failed, lost.
std::string story_of(device& of, const job_data& job)
{
  const int running = 0;
  std::string story;
  const auto session = of.open({&job, fold_kind::single, &running, 0});
  for (std::uint32_t s = 0; s < 100; ++s) {
    const auto status = session->launch({s, s + 1});
    story += status == batch_status::done ? 'd' : status == batch_status::failed ? 'f' : 'L';
    if (status == batch_status::lost) {
      EXPECT_EQ(session->why().code, errc::device_lost);
      break;
    }
  }
  return story;
}

TEST(FaultyDevice, HasTheFaultsOfItsSeed)
{
  const auto job = sum_of_hundred(1);
  std::vector<std::string> stories;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const fault_plan plan{.seed = seed, .stall_ms = 0};
    faulty_device one{{0}, plan, "faulty"};
    faulty_device same{{0}, plan, "faulty"};
    const auto first = story_of(one, job.data());
    const auto second = story_of(one, job.data());
    EXPECT_EQ(story_of(same, job.data()), first) << "seed " << seed;
    EXPECT_EQ(story_of(same, job.data()), second) << "seed " << seed;
    EXPECT_NE(first, second) << "seed " << seed;  // another run, another draw
    stories.push_back(first);
  }
  EXPECT_TRUE(std::any_of(stories.begin(), stories.end(), [](const auto& s) { return s.back() == 'L'; }));
  EXPECT_TRUE(std::any_of(stories.begin(), stories.end(), [](const auto& s) { return s.back() != 'L'; }));
}

TEST(FaultyDevice, SaysWhichSeedItWas)
{
  const auto job = sum_of_hundred(1);
  const int running = 0;
  faulty_device device{{0}, {.seed = 77, .fail_share = 1, .die_share = 0}, "faulty:77"};
  const auto session = device.open({&job.data(), fold_kind::single, &running, 0});
  ASSERT_EQ(session->launch({0, 1}), batch_status::failed);
  EXPECT_EQ(session->why().detail, "the faulty device refused a batch, as its seed 77 has it");
  EXPECT_FALSE(session->seal().values);  // folded nothing of it
}

TEST(FaultyDevice, DiesWithWhatItHasFolded)
{
  const auto job = sum_of_hundred(1);
  const int running = 0;
  faulty_device device{
      {0}, {.seed = 7, .fail_share = 0, .stall_share = 0, .die_share = 1, .die_within = 1}, "faulty:7"};
  const auto session = device.open({&job.data(), fold_kind::single, &running, 0});
  ASSERT_EQ(session->launch({0, 10}), batch_status::lost);
  EXPECT_EQ(session->why().code, errc::device_lost);
  EXPECT_EQ(session->why().detail, "the faulty device died, as its seed 7 has it");
}

TEST(AsyncDevice, HasTwoBatchesUnderWay)
{
  const auto job = sum_of_hundred(1);
  const int running = 0;
  support::async_device device{{0}, "async"};
  const auto session = device.open({&job.data(), fold_kind::single, &running, 0});
  ASSERT_EQ(session->in_flight_max(), 2u);
  ASSERT_EQ(session->launch({0, 1}), batch_status::queued);
  ASSERT_EQ(session->launch({1, 3}), batch_status::queued);
  intervals done;
  for (int polls = 0; done.size() < 2 && polls < 100; ++polls) {
    interval batch;
    if (session->poll(batch) == batch_status::done) done.push_back(batch);
  }
  EXPECT_EQ(done, (intervals{{0, 1}, {1, 3}}));
  EXPECT_EQ(session->seal().counter, 3u);
}

}  // namespace

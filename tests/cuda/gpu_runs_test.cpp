#include "support/emulated_backend.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "device/numeric_class.hpp"
#include "device/paced_device.hpp"
#include "support/device_cluster.hpp"
#include "support/failure_of.hpp"
#include "support/gpu_under_test.hpp"

/// @file
/// Runs over GPUs that fail, and which devices a run takes where there are GPUs.

namespace {

using fastgpu::by_size;
using fastgpu::errc;
using fastgpu::outcome_kind;
using fastgpu::reduction;
using fastgpu::space;
using fastgpu::detail::cluster_core;
using fastgpu::detail::ref;
using support::failure_of;
using support::gpu_faults;

/// Expected losses are not written.
class GpuRuns : public testing::Test {
 protected:
  GpuRuns() { fastgpu::set_log(fastgpu::log_level::off); }
  ~GpuRuns() override { fastgpu::set_log(fastgpu::log_level::warning); }
};

/// A device whose sessions open once another's have, or could not be: so that both have a part, whoever wakes first.
class in_turn final : public fastgpu::detail::device {
 public:
  in_turn(std::unique_ptr<fastgpu::detail::device> one, std::shared_ptr<std::atomic<bool>> before,
          std::shared_ptr<std::atomic<bool>> after)
      : one_{std::move(one)}, before_{std::move(before)}, after_{std::move(after)}
  {
  }
  [[nodiscard]] const fastgpu::device_info& info() const noexcept override { return one_->info(); }
  [[nodiscard]] bool one_thread() const noexcept override { return one_->one_thread(); }
  [[nodiscard]] std::unique_ptr<fastgpu::detail::device_session> open(
      const fastgpu::detail::session_request& request) override
  {
    while (!before_->load()) std::this_thread::sleep_for(std::chrono::microseconds{20});
    try {
      auto session = one_->open(request);
      after_->store(true);
      return session;
    } catch (...) {
      after_->store(true);
      throw;
    }
  }

 private:
  std::unique_ptr<fastgpu::detail::device> one_;
  std::shared_ptr<std::atomic<bool>> before_;
  std::shared_ptr<std::atomic<bool>> after_;
};

enum class beside { nothing, host, late_host };

/// A GPU, and a slow device of the host beside it. A late one lets the GPU begin.
ref<cluster_core> cluster_of(const gpu_faults& faults, beside what, const std::string& list = "")
{
  const auto now = std::make_shared<std::atomic<bool>>(true);
  const auto gpu_is_open = std::make_shared<std::atomic<bool>>(false);
  std::vector<std::unique_ptr<fastgpu::detail::device>> devices;
  devices.push_back(std::make_unique<in_turn>(
      std::make_unique<fastgpu::detail::cuda_device>(fastgpu::device_id{0}, std::make_unique<support::fake_gpu>(faults),
                                                     "gpu"),
      now, gpu_is_open));
  if (what != beside::nothing) {
    devices.push_back(std::make_unique<in_turn>(
        std::make_unique<fastgpu::detail::paced_device>(fastgpu::device_id{1}, 20'000, "slow"),
        what == beside::late_host ? gpu_is_open : now, now));
  }
  return support::cluster_of(std::move(devices), list);
}

/// Triples numbers, and adds them up.
struct tripling {
  std::vector<double> in;
  std::vector<double> out;

  tripling() : in(240), out(240, 0.0) { std::iota(in.begin(), in.end(), 1.0); }

  auto job()
  {
    return fastgpu::make_job(
        space(240, by_size{10}),
        [](std::uint64_t n, fastgpu::in1<double> from, fastgpu::out1<double> to) {
          const auto i = static_cast<std::int64_t>(n);
          to(i) = 3 * from(i);
          return to(i);
        },
        fastgpu::slices(in), fastgpu::gather(out), fastgpu::reduced(fastgpu::sum<double>{}));
  }
  static constexpr double total = 3.0 * 240 * 241 / 2;
  void expect_tripled() const
  {
    for (std::size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], 3 * in[i]) << i;
  }
};

fastgpu::run_options over_both(reduction mode)
{
  fastgpu::run_options options;
  options.reduction = mode;
  options.policy = fastgpu::equal{};
  options.batches = fastgpu::batching::fixed(2);
  options.mix_numeric_classes = true;
  return options;
}

constexpr reduction modes[] = {reduction::ordered, reduction::exact, reduction::fast};

TEST_F(GpuRuns, GiveTheRightAnswerWhereTheGpuFailsAfterAnyOperation)
{
  std::uint64_t lost = 0;
  for (const auto mode : modes) {
    for (std::uint64_t n = 0; n < 90; ++n) {
      SCOPED_TRACE(testing::Message() << fastgpu::to_string(mode) << ", after " << n << " operations");
      tripling data;
      const auto job = data.job();
      const auto on = cluster_of({.lost_after = n}, beside::late_host, "gpu,slow");
      auto run = support::start(on, job, over_both(mode));
      const auto value = fastgpu::aggregate(run);
      ASSERT_EQ(value.get(), tripling::total);
      data.expect_tripled();
      lost += value.summary().devices[0].lost;
    }
  }
  EXPECT_GT(lost, 50u);  // the rest are more operations than the GPU's part is
}

TEST_F(GpuRuns, EndWhereTheOnlyGpuFailsAfterAnyOperation)
{
  for (const auto mode : modes) {
    auto how = outcome_kind::failed;
    std::uint64_t failed = 0;
    for (std::uint64_t n = 0; how == outcome_kind::failed && n < 1000; ++n) {
      SCOPED_TRACE(testing::Message() << fastgpu::to_string(mode) << ", after " << n << " operations");
      tripling data;
      const auto job = data.job();
      const auto on = cluster_of({.lost_after = n}, beside::nothing);
      const auto outcome = support::start(on, job, over_both(mode)).wait();
      how = outcome.kind();
      if (how != outcome_kind::failed) break;
      ++failed;
      const auto& why = outcome.summary().why;
      ASSERT_EQ(why.code, errc::no_usable_device);
      const std::string fault = "fake: an illegal address was accessed";
      ASSERT_TRUE(why.detail == "no usable device is left; the last: " + fault ||
                  why.detail == "no usable device is left; the last: opening a session: " + fault)
          << why.detail;
      // It stays lost to the cluster.
      ASSERT_EQ(support::start(on, job).wait().summary().why.detail,
                "no usable device is left; the last: opening a session: " + fault);
    }
    EXPECT_EQ(how, outcome_kind::done);
    EXPECT_GT(failed, 50u);
  }
}

TEST_F(GpuRuns, GiveTheRightAnswerWhereACallIsRefused)
{
  std::uint64_t lost = 0;
  for (std::uint64_t n = 0; n < 90; ++n) {
    SCOPED_TRACE(testing::Message() << "call " << n);
    tripling data;
    const auto job = data.job();
    const auto on = cluster_of({.refused_call = n}, beside::late_host, "gpu,slow");
    auto run = support::start(on, job, over_both(reduction::exact));
    const auto value = fastgpu::aggregate(run);
    ASSERT_EQ(value.get(), tripling::total);
    data.expect_tripled();
    lost += value.summary().devices[0].lost;
    // The GPU is as it was.
    EXPECT_EQ(support::start(on, job, over_both(reduction::exact)).wait().kind(), outcome_kind::done);
  }
  EXPECT_GT(lost, 10u);
}

TEST_F(GpuRuns, GoToTheHostWhereNoKernelWasBuiltForTheGpu)
{
  tripling data;
  const auto job = data.job();
  const auto both = cluster_of({.cannot_load = true}, beside::late_host, "gpu,slow");
  auto run = support::start(both, job, over_both(reduction::ordered));
  const auto value = fastgpu::aggregate(run);
  EXPECT_EQ(value.get(), tripling::total);
  EXPECT_EQ(value.summary().devices[1].subtasks, 24u);

  const auto alone = support::start(cluster_of({.cannot_load = true}, beside::nothing), job).wait();
  EXPECT_EQ(alone.summary().why.code, errc::no_usable_device);
  EXPECT_EQ(alone.summary().why.detail,
            "no usable device is left; the last: opening a session: loading the kernel: no kernel image for this GPU");
}

TEST_F(GpuRuns, GoToTheHostWhereASubtaskDoesNotFit)
{
  tripling data;
  const auto job = data.job();
  const gpu_faults small{.memory_bytes = 300};
  auto run = support::start(cluster_of(small, beside::late_host, "gpu,slow"), job, over_both(reduction::ordered));
  EXPECT_EQ(fastgpu::aggregate(run).get(), tripling::total);
  data.expect_tripled();

  const auto alone = support::start(cluster_of(small, beside::nothing), job).wait();
  EXPECT_EQ(alone.summary().why.code, errc::no_usable_device);
  EXPECT_EQ(alone.summary().why.detail, "no usable device is left; the last: fake: no memory for 768 bytes");
}

TEST_F(GpuRuns, RefuseToScatterToPageableMemory)
{
  std::vector<int> out(10, 0);
  const auto scattering = [&](fastgpu::memory where) {
    return fastgpu::make_job(
        space(10, by_size{1}),
        [](std::uint64_t i, fastgpu::out1<int> to) { to(static_cast<std::int64_t>(9 - i)) = static_cast<int>(i); },
        fastgpu::scatter(fastgpu::data_view<int, 1>{out.data(), fastgpu::extents{10}, where}));
  };
  const auto why = failure_of([&] { (void)support::start(cluster_of({}, beside::nothing), scattering({})); });
  EXPECT_EQ(why.code, errc::no_usable_device);
  EXPECT_EQ(why.detail,
            "argument 0 (scatter) lies in pageable memory, which device 0 (gpu) cannot write piece by piece: give it "
            "pinned or GPU memory");

  auto pinned = support::start(cluster_of({}, beside::nothing), scattering({fastgpu::memory_kind::pinned}));
  (void)fastgpu::aggregate(pinned);
  EXPECT_EQ(out, (std::vector<int>{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
}

TEST_F(GpuRuns, UseGpusAloneWhereTheUserNamedNoDevices)
{
  tripling data;
  const auto job = data.job();
  auto run = support::start(cluster_of({}, beside::host), job, over_both(reduction::ordered));
  const auto summary = fastgpu::aggregate(run).summary();
  EXPECT_EQ(summary.devices[0].subtasks, 24u);
  EXPECT_EQ(summary.devices[1].batches, 0u);
  EXPECT_EQ(summary.numeric_class, "cuda sm_90");
}

TEST_F(GpuRuns, UseTheHostForProgramsWithoutAnEntry)
{
  const auto job = fastgpu::make_job(
      space(100, by_size{10}),
      [](fastgpu::host_context&, fastgpu::block<1> b) { return static_cast<double>(b.count()); },
      fastgpu::reduced(fastgpu::sum<double>{}));
  auto run = support::start(cluster_of({}, beside::host), job);
  const auto value = fastgpu::aggregate(run);
  EXPECT_EQ(value.get(), 100);
  EXPECT_EQ(value.summary().devices[0].batches, 0u);
  EXPECT_EQ(value.summary().devices[1].subtasks, 10u);
  EXPECT_EQ(value.summary().numeric_class, fastgpu::detail::host_numeric_class());
  EXPECT_EQ(failure_of([&] { (void)support::start(cluster_of({}, beside::host, "gpu,slow"), job); }).detail,
            "this kernel, which has no registered name, has no entry for back end 'cuda' of device 0 (gpu)");
}

TEST_F(GpuRuns, UseTheHostForDataThatNoGpuReaches)
{
  std::vector<int> out(10, 0);
  const auto job = fastgpu::make_job(
      space(10, by_size{1}),
      [](std::uint64_t i, fastgpu::out1<int> to) { to(static_cast<std::int64_t>(i)) = static_cast<int>(i); },
      fastgpu::scatter(out));
  auto run = support::start(cluster_of({}, beside::host), job);
  EXPECT_EQ(fastgpu::aggregate(run).summary().devices[1].subtasks, 10u);
}

TEST_F(GpuRuns, LeaveTheHostOutWhereDataLieOnAGpu)
{
  std::vector<double> in(100);
  std::iota(in.begin(), in.end(), 0.0);
  const auto job = fastgpu::make_job(
      space(100, by_size{10}),
      [](std::uint64_t i, fastgpu::in1<double> from) { return from(static_cast<std::int64_t>(i)); },
      fastgpu::slices(fastgpu::data_view<double, 1>{
          in.data(), fastgpu::extents{100}, {fastgpu::memory_kind::device, 0}}),
      fastgpu::reduced(fastgpu::sum<double>{}));
  auto run = support::start(cluster_of({}, beside::host), job);
  const auto value = fastgpu::aggregate(run);
  EXPECT_EQ(value.get(), 4950);
  EXPECT_EQ(value.summary().devices[1].batches, 0u);
  EXPECT_EQ(failure_of([&] { (void)support::start(cluster_of({}, beside::host, "gpu,slow"), job); }).detail,
            "argument 0 lies in GPU memory, which device 1 (slow) cannot read");
}

TEST_F(GpuRuns, AreWaitedForWhenTheyAreCancelled)
{
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::vector<std::uint64_t> out(100'000, 0);
    const auto job = fastgpu::make_job(
        space(100'000, by_size{1}),
        [](std::uint64_t i, fastgpu::out1<std::uint64_t> to) { to(static_cast<std::int64_t>(i)) = i; },
        fastgpu::gather(fastgpu::data_view<std::uint64_t, 1>{
            out.data(), fastgpu::extents{100'000}, {fastgpu::memory_kind::pinned}}));
    const auto on = cluster_of({.seed = seed}, beside::nothing);
    auto run = support::start(on, job, {.batches = fastgpu::batching::fixed(1)});
    std::this_thread::sleep_for(std::chrono::microseconds{300 * seed});
    run.cancel();
    (void)run.wait();
    // Nobody writes what the user has got back.
    out.assign(out.size(), 0);
    tripling data;
    auto next = support::start(on, data.job());
    EXPECT_EQ(fastgpu::aggregate(next).get(), tripling::total);
    EXPECT_EQ(out, std::vector<std::uint64_t>(out.size(), 0));
  }
}

TEST_F(GpuRuns, TakeTurnsOnAGpu)
{
  const auto harmonic = [](std::int64_t n) {
    return fastgpu::make_job(
        space(n, by_size{3}), [](std::uint64_t i) { return 1.0 / (1.0 + static_cast<double>(i)); },
        fastgpu::reduced(fastgpu::sum<double>{}));
  };
  const auto alone = [&](std::int64_t n, reduction mode) {
    auto run = support::start(cluster_of({}, beside::nothing), harmonic(n), over_both(mode));
    return fastgpu::aggregate(run).get();
  };
  for (const auto mode : modes) {
    const auto on = cluster_of({.seed = 7}, beside::nothing);
    auto options = over_both(mode);
    auto first = support::start(on, harmonic(9000), options);
    std::vector<fastgpu::run<double>> urgent;
    for (int i = 0; i < 3; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
      ++options.priority;
      urgent.push_back(support::start(on, harmonic(900), options));
    }
    const auto near = mode == reduction::fast ? 1e-12 : 0;  // which promises no bits
    for (auto& run : urgent) EXPECT_NEAR(fastgpu::aggregate(run), alone(900, mode), near);
    EXPECT_NEAR(fastgpu::aggregate(first), alone(9000, mode), near);
  }
}

}  // namespace

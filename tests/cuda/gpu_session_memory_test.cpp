#include "support/emulated_backend.hpp"

#include "cuda/gpu_session.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/failure_of.hpp"
#include "support/gpu_jobs.hpp"
#include "support/gpu_under_test.hpp"
#include "support/partial_value.hpp"

/// @file
/// Sessions on a GPU where its memory, or pinned memory, does not do.

namespace {

using fastgpu::by_size;
using fastgpu::errc;
using fastgpu::index;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::batch_status;
using fastgpu::detail::fold_kind;
using support::batches_of;
using support::failure_of;
using support::gpu_faults;
using support::gpu_under_test;
using support::rough_sum;
using support::rough_sum_in_order;
using support::run_batches;
using support::value_of;

/// Doubles numbers: 16 bytes an index, in and out.
struct doubling {
  std::vector<double> in;
  std::vector<double> out;

  explicit doubling(std::size_t n) : in(n), out(n, 0.0) { std::iota(in.begin(), in.end(), 1.0); }

  auto job(std::int64_t granule)
  {
    return make_job(
        space(static_cast<std::int64_t>(in.size()), by_size{granule}),
        [](std::uint64_t i, fastgpu::in1<double> from, fastgpu::out1<double> to) {
          to(static_cast<std::int64_t>(i)) = 2 * from(static_cast<std::int64_t>(i));
        },
        fastgpu::slices(in), fastgpu::gather(out));
  }
  void expect_doubled() const
  {
    for (std::size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], 2 * in[i]) << i;
  }
};

TEST(GpuSession, GoesInPiecesWhereABatchDoesNotFit)
{
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const gpu_faults small{.seed = seed, .memory_bytes = 10'000};
    const gpu_faults little_pinned{.seed = seed, .pinned_bytes = 10'000};
    for (const auto& faults : {small, little_pinned}) {
      doubling data{4096};  // 64 KiB, a subtask 1 KiB
      const auto job = data.job(64);
      const gpu_under_test on{faults};
      const auto session = on.open(job.data(), fold_kind::none);
      ASSERT_EQ(run_batches(*session, {{0, 40}, {40, 64}}, 2), batch_status::done) << session->why().detail;
      data.expect_doubled();
      EXPECT_LE(on.gpu->asked().bytes_max, faults.memory_bytes);
      EXPECT_EQ(session->seal().counter, 64u);
    }
  }
}

TEST(GpuSession, CutsPiecesAtSpans)
{
  const auto job = rough_sum(120'000, 3);
  ASSERT_EQ(job.data().shape.span_log2, 2u);
  const gpu_under_test on{{.memory_bytes = 20'000}};
  const auto session = on.open(job.data(), fold_kind::ordered);
  ASSERT_EQ(run_batches(*session, {{0, 22'000}, {22'000, 40'000}}, 2), batch_status::done) << session->why().detail;
  EXPECT_EQ(value_of<double>(*session->seal().values), rough_sum_in_order(120'000, 3, 2));
  EXPECT_LE(on.gpu->asked().bytes_max, 20'000u);
}

TEST(GpuSession, WaitsForMemoryThatBatchesUnderWayHave)
{
  // One subtask fits at a time, and batches of one subtask cannot go in pieces.
  doubling data{1024};
  const auto job = data.job(256);
  const gpu_under_test on{{.memory_bytes = 5000}};
  const auto session = on.open(job.data(), fold_kind::none);
  ASSERT_EQ(run_batches(*session, batches_of(4, 1), 4), batch_status::done) << session->why().detail;
  data.expect_doubled();
}

TEST(GpuSession, TakesTheMemoryThatFormerSessionsLeft)
{
  const gpu_under_test on{{.memory_bytes = 10'000}};
  {
    doubling data{512};
    const auto job = data.job(64);
    const auto session = on.open(job.data(), fold_kind::none);
    ASSERT_EQ(run_batches(*session, batches_of(8, 1), 8), batch_status::done);  // 1 KiB in each slot
    data.expect_doubled();
  }
  {
    doubling data{560};
    const auto job = data.job(560);  // 8960 bytes, one subtask
    const auto session = on.open(job.data(), fold_kind::none);
    ASSERT_EQ(run_batches(*session, {{0, 1}}), batch_status::done) << session->why().detail;
    data.expect_doubled();
  }
  {
    const auto job = make_job(
        space(10, by_size{10}),
        [](std::uint64_t i, fastgpu::tally<sum<double>> bins) { bins.merge(static_cast<std::int64_t>(i), 1.0); },
        reduced(sum<double>{}, 200));  // 7168 bytes of accumulators
    const auto session = on.open(job.data(), fold_kind::single);
    ASSERT_EQ(run_batches(*session, {{0, 1}}), batch_status::done) << session->why().detail;
    EXPECT_EQ((value_of<std::array<double, 200>>(*session->seal().values)[9]), 1.0);
  }
  {
    doubling data{560};
    const auto job = data.job(560);
    ASSERT_EQ(run_batches(*on.open(job.data(), fold_kind::none), {{0, 1}}), batch_status::done);
  }
  {
    const std::vector<double> table(1200, 1.5);  // 9600 bytes
    const auto job = make_job(
        space(10, by_size{10}),
        [](std::uint64_t i, fastgpu::in1<double> all) { return all(static_cast<std::int64_t>(i)); },
        fastgpu::broadcast(table), reduced(sum<double>{}));
    const auto session = on.open(job.data(), fold_kind::ordered);
    ASSERT_EQ(run_batches(*session, {{0, 1}}), batch_status::done) << session->why().detail;
    EXPECT_EQ(value_of<double>(*session->seal().values), 15.0);
  }
}

TEST(GpuSession, TellsWhatASpanNeedsThatDoesNotFit)
{
  doubling large{1024};
  const auto job = large.job(1024);
  const gpu_under_test on{{.memory_bytes = 10'000}};
  {
    const auto session = on.open(job.data(), fold_kind::none);
    ASSERT_EQ(session->launch({0, 1}), batch_status::lost);
    EXPECT_EQ(session->why().code, errc::device_lost);
    EXPECT_EQ(session->why().detail, "fake: no memory for 16384 bytes");
  }
  // It is this run that the GPU is lost to: others may be smaller.
  doubling small{64};
  const auto other = small.job(16);
  const auto session = on.open(other.data(), fold_kind::none);
  ASSERT_EQ(run_batches(*session, {{0, 4}}), batch_status::done);
  small.expect_doubled();
}

TEST(GpuSession, IsNotOpenedWhereConstantsDoNotFit)
{
  const gpu_under_test on{{.memory_bytes = 10'000}};
  const std::vector<double> fits(1000, 1.5);
  const std::vector<double> too_much(300, 2.5);
  const auto job = make_job(
      space(10, by_size{10}),
      [](std::uint64_t i, fastgpu::in1<double> a, fastgpu::in1<double> b) {
        return a(static_cast<std::int64_t>(i)) + b(static_cast<std::int64_t>(i));
      },
      fastgpu::broadcast(fits), fastgpu::broadcast(too_much), reduced(sum<double>{}));
  const auto why = failure_of([&] { (void)on.open(job.data(), fold_kind::ordered); });
  EXPECT_EQ(why.code, errc::device_failed);
  EXPECT_EQ(why.detail, "fake: no memory for 2400 bytes");

  // The copy of the first was under way when the second did not fit.
  doubling small{64};
  const auto other = small.job(16);
  const auto session = on.open(other.data(), fold_kind::none);
  ASSERT_EQ(run_batches(*session, {{0, 4}}), batch_status::done);
  EXPECT_EQ(on.gpu->asked().late_copies, 0u);
}

}  // namespace

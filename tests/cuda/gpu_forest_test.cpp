#include "support/emulated_backend.hpp"

#include "cuda/gpu_forest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/gradients.hpp"

/// @file
/// Sessions whose spans' values stay and merge on the GPU, over a GPU of host memory.

namespace {

using fastgpu::by_size;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::tally;
using fastgpu::detail::batch_status;
using fastgpu::detail::fold_kind;
using support::batches_of;
using support::gpu_faults;
using support::gpu_under_test;
using support::gradients;
using support::launched_gradients;
using support::on_host;
using support::resident_from;
using support::rough;
using support::run_batches;
using support::tallied_gradients;
using support::vector_of;

constexpr std::int64_t width = 7;
constexpr std::uint64_t never = 0;

struct ran {
  std::vector<double> value;
  std::uint64_t bytes_out = 0;
};

/// All subtasks, `size` a batch, in an order by the seed. Nothing where the GPU does not get through.
template <class Job>
ran run_all(const Job& job, const gpu_under_test& on, std::uint32_t size, std::uint32_t in_flight, std::uint64_t seed)
{
  const auto session = on.open(job.data(), fold_kind::ordered);
  if (run_batches(*session, batches_of(job.data().shape.count, size, seed), in_flight) != batch_status::done) return {};
  const auto sealed = session->seal();
  EXPECT_EQ(sealed.counter, job.data().shape.count);
  return {vector_of<double>(*sealed.values, job.data().width), on.gpu->asked().bytes_out};
}

TEST(GpuForest, HasTheHostsBitsWhateverTheBatches)
{
  for (const std::int64_t n : {1, 2, 37, 1000}) {
    const auto job = tallied_gradients(n, 1, width);
    const auto expected = on_host<double>(job);
    for (std::uint64_t seed = 0; seed <= 8; ++seed) {
      for (const std::uint32_t size : {1u, 3u, 64u, 1000u}) {
        for (const std::uint32_t in_flight : {1u, 8u}) {
          SCOPED_TRACE(testing::Message() << n << " by " << size << ", seed " << seed << ", in flight " << in_flight);
          const gpu_under_test here{{.seed = seed + 1}, {}, resident_from(1)};
          const gpu_under_test there{{.seed = seed + 1}, {}, resident_from(never)};
          ASSERT_EQ(run_all(job, here, size, in_flight, seed).value, expected);
          ASSERT_EQ(run_all(job, there, size, in_flight, seed).value, expected);
        }
      }
    }
  }
}

TEST(GpuForest, CutsAtSpansOfSeveralSubtasks)
{
  const auto job = tallied_gradients(40'000, 1, 2);
  ASSERT_EQ(job.data().shape.span_log2, 2u);
  const auto expected = on_host<double>(job);
  for (std::uint64_t seed = 0; seed <= 3; ++seed) {
    const gpu_under_test on{{.seed = seed + 1}, {}, resident_from(1)};
    EXPECT_EQ(run_all(job, on, 1204, 5, seed).value, expected) << "seed " << seed;
  }
}

TEST(GpuForest, BringsOverWhatIsLeftAlone)
{
  const auto job = tallied_gradients(1000, 1, width);
  const auto bytes = [&](std::uint64_t from) {
    return run_all(job, gpu_under_test{{}, {}, resident_from(from)}, 50, 8, 0).bytes_out;
  };
  EXPECT_EQ(bytes(width * sizeof(double)), width * sizeof(double));  // the root
  EXPECT_EQ(bytes(width * sizeof(double) + 1), 1000 * width * sizeof(double));
  EXPECT_EQ(bytes(never), 1000 * width * sizeof(double));
}

/// Of integers, but no operation that a library beside this one knows.
struct smallest {
  using value_type = std::int64_t;
  static constexpr const char* name = "smallest";
  std::int64_t operator()(std::int64_t a, std::int64_t b) const { return std::min(a, b); }
  static constexpr std::int64_t identity() { return std::numeric_limits<std::int64_t>::max(); }
};
template <bool Portable>
struct squares {
  static constexpr bool portable_arithmetic = Portable;
  void operator()(std::uint64_t i, tally<smallest> to) const
  {
    to.merge(static_cast<std::int64_t>(i % width), -static_cast<std::int64_t>(i * i % 977));
  }
};

template <bool Portable>
std::uint64_t bytes_of_minima()
{
  const auto job = make_job(space(600, by_size{1}), squares<Portable>{}, reduced(smallest{}, width));
  const gpu_under_test on{{}, {}, resident_from(1)};
  const auto session = on.open(job.data(), fold_kind::ordered);
  EXPECT_EQ(run_batches(*session, batches_of(600, 33, 5), 8), batch_status::done);
  EXPECT_EQ(vector_of<std::int64_t>(*session->seal().values, width), on_host<std::int64_t>(job));
  return on.gpu->asked().bytes_out;
}

TEST(GpuForest, MergesOnlyWhatHasTheSameBitsOnTheHost)
{
  EXPECT_EQ(bytes_of_minima<true>(), width * sizeof(std::int64_t));
  EXPECT_EQ(bytes_of_minima<false>(), 600 * width * sizeof(std::int64_t));
}

/// Whose sum is its own affair: not a number's.
struct logarithm {
  double value = 0;
  friend logarithm operator+(const logarithm& a, const logarithm& b) { return {a.value * 0.5 + b.value}; }
};

TEST(GpuForest, LeavesSumsOfWhatIsNoNumberToTheHost)
{
  const auto job = make_job(
      space(64, by_size{1}),
      [](std::uint64_t i, tally<sum<logarithm>> to) { to.merge(0, logarithm{static_cast<double>(i)}); },
      reduced(sum<logarithm>{}, width));
  EXPECT_EQ(job.data().code->values->kind, fastgpu::detail::merge_kind::sum);
  const gpu_under_test on{{}, {}, resident_from(1)};
  const auto session = on.open(job.data(), fold_kind::ordered);
  ASSERT_EQ(run_batches(*session, {{0, 64}}), batch_status::done);
  EXPECT_EQ(on.gpu->asked().bytes_out, 64 * width * sizeof(logarithm));
}

TEST(GpuForest, StartsAgainWithEachSeal)
{
  const auto job = tallied_gradients(64, 1, width);
  const auto expected = on_host<double>(job);
  const gpu_under_test on{{}, {}, resident_from(1)};
  const auto session = on.open(job.data(), fold_kind::ordered);
  fastgpu::detail::partial all{job.data(), fold_kind::ordered};
  for (std::uint32_t part = 0; part < 4; ++part) {
    ASSERT_EQ(run_batches(*session, {{16 * part + 8, 16 * part + 16}, {16 * part, 16 * part + 8}}, 2),
              batch_status::done);
    auto sealed = session->seal();
    EXPECT_EQ(sealed.values->fold_set().count(), 16u);
    all.absorb(std::move(*sealed.values));
  }
  EXPECT_EQ(vector_of<double>(all, width), expected);
}

TEST(GpuForest, BringsItsNodesOverWhereTheyWouldBeTooMany)
{
  const auto job = tallied_gradients(500, 1, width);
  const auto expected = on_host<double>(job);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    auto options = resident_from(1);
    options.memory_bytes_max = 40'000;  // a quarter: 39 nodes
    const gpu_under_test on{{.seed = seed}, {}, options};
    const auto what = run_all(job, on, 3, 8, seed);
    EXPECT_EQ(what.value, expected) << "seed " << seed;
    EXPECT_GT(what.bytes_out, 40 * width * sizeof(double));
    EXPECT_LT(what.bytes_out, 400 * width * sizeof(double));
  }
}

/// Whether everything runs and is sealed, with the right value then.
bool runs_well(const gpu_under_test& on)
{
  const auto job = tallied_gradients(100, 1, width);
  std::unique_ptr<fastgpu::detail::device_session> session;
  try {
    session = on.open(job.data(), fold_kind::ordered);
    const auto status = run_batches(*session, batches_of(100, 9, 3), 8);
    if (status != batch_status::done) {
      EXPECT_EQ(status, batch_status::lost);
      EXPECT_EQ(session->why().code, fastgpu::errc::device_lost);
      return false;
    }
    EXPECT_EQ(vector_of<double>(*session->seal().values, width), on_host<double>(job));
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.why().code, fastgpu::errc::device_lost);
    return false;
  }
  return true;
}

// Memory -------------------------------------------------------------------------------------------------------------

TEST(GpuForest, IsDoneWithoutWhereAnAllocationFails)
{
  const auto job = tallied_gradients(300, 1, width);
  const auto expected = on_host<double>(job);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    for (std::uint64_t n = 0; n < 60; ++n) {
      const gpu_under_test on{{.seed = seed, .refused_allocation = n}, {}, resident_from(1)};
      ASSERT_EQ(run_all(job, on, 20, 6, seed).value, expected) << "allocation " << n << ", seed " << seed;
      ASSERT_EQ(on.gpu->asked().late_copies, 0u);
    }
  }
}

TEST(GpuForest, NeedsNoMoreMemoryThanToDoWithoutIt)
{
  const auto job = tallied_gradients(300, 1, 50);  // 400 bytes a span
  const auto expected = on_host<double>(job);
  std::uint64_t done = 0;
  for (std::uint64_t bytes = 300; bytes < 60'000; bytes += bytes / 5) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const gpu_faults small{.seed = seed, .memory_bytes = bytes};
      const gpu_faults little_pinned{.seed = seed, .pinned_bytes = bytes};
      for (const auto& faults : {small, little_pinned}) {
        SCOPED_TRACE(testing::Message() << bytes << " bytes, seed " << seed);
        const gpu_under_test without{faults, {}, resident_from(never)};
        const auto there = run_all(job, without, 40, 8, seed).value;
        const gpu_under_test with{faults, {}, resident_from(1)};
        const auto here = run_all(job, with, 40, 8, seed).value;
        if (!there.empty() || !here.empty()) {
          ASSERT_EQ(here, expected);
        }
        ASSERT_EQ(with.gpu->asked().late_copies, 0u);
        done += !there.empty();
      }
    }
  }
  EXPECT_GT(done, 40u);
}

TEST(GpuForest, TakesEachPieceOnceWhereALaunchFindsNoMemory)
{
  const auto job = launched_gradients(300, 1, {.width = width, .subtasks_max = 7});
  const auto expected = on_host<double>(job);
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const gpu_under_test on{{.seed = seed}, {}, resident_from(1)};
    const auto what = run_all(job, on, 100, 2, seed);
    EXPECT_EQ(what.value, expected) << "seed " << seed;
    EXPECT_EQ(what.bytes_out, width * sizeof(double));
  }
}

TEST(GpuForest, GivesUpItsMemoryBeforeTheGpuIsLostForIt)
{
  const auto job = launched_gradients(10, 1, {.width = width, .subtasks_max = 0});
  const gpu_under_test on{{}, {}, resident_from(1)};
  const auto session = on.open(job.data(), fold_kind::ordered);
  ASSERT_EQ(session->launch({0, 10}), batch_status::lost);
  EXPECT_EQ(session->why().detail, "no memory to launch");
  EXPECT_TRUE(runs_well(on));
}

// Failures -----------------------------------------------------------------------------------------------------------

TEST(GpuForest, IsLostWithItsGpuAfterAnyOperation)
{
  int lost = 0;
  for (std::uint64_t n = 0;; ++n) {
    SCOPED_TRACE(testing::Message() << "after " << n << " operations");
    const gpu_under_test on{{.lost_after = n}, {}, resident_from(1)};
    const bool well = runs_well(on);
    EXPECT_EQ(on.gpu->asked().late_copies, 0u);
    if (well || HasFailure() || n > 1000) break;
    ++lost;
  }
  EXPECT_GT(lost, 60);
}

TEST(GpuForest, LeavesNothingUnderWayWhereACallIsRefused)
{
  int refused = 0;
  for (std::uint64_t n = 0;; ++n) {
    SCOPED_TRACE(testing::Message() << "call " << n);
    const gpu_under_test on{{.refused_call = n}, {}, resident_from(1)};
    const bool well = runs_well(on);
    EXPECT_TRUE(well || runs_well(on));  // the GPU is as it was
    EXPECT_EQ(on.gpu->asked().late_copies, 0u);
    if (well || HasFailure() || n > 1000) break;
    ++refused;
  }
  EXPECT_GT(refused, 60);
}

TEST(GpuForest, TakesNoSpanTwiceWhereACallFindsNoMemory)
{
  const auto job = tallied_gradients(100, 1, width);
  const auto expected = on_host<double>(job);
  int right = 0;
  for (std::uint64_t n = 0;; ++n) {
    SCOPED_TRACE(testing::Message() << "call " << n);
    const gpu_under_test on{
        {.refused_call = n, .refusal = fastgpu::detail::gpu_error::kind::out_of_memory}, {}, resident_from(1)};
    try {
      const auto value = run_all(job, on, 12, 4, n).value;
      EXPECT_TRUE(value.empty() || value == expected);
      right += value.empty() ? 0 : 1;
    } catch (const fastgpu::error&) {  // lost
    }
    EXPECT_EQ(on.gpu->asked().late_copies, 0u);
    if (on.gpu->asked().calls <= n || HasFailure()) break;
  }
  EXPECT_GT(right, 10);
}

TEST(GpuForest, IsWaitedForWhereItsSessionEndsWithBatchesUnderWay)
{
  const auto job = tallied_gradients(100, 1, width);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const gpu_under_test on{{.seed = seed}, {}, resident_from(1)};
    {
      const auto session = on.open(job.data(), fold_kind::ordered);
      for (std::uint32_t s = 0; s < 8; ++s) ASSERT_EQ(session->launch({9 * s, 9 * s + 9}), batch_status::queued);
    }
    EXPECT_TRUE(runs_well(on)) << "seed " << seed;  // in the same memory
    EXPECT_EQ(on.gpu->asked().late_copies, 0u);
  }
}

TEST(GpuForest, IsNotSealedWithSpansOfABatchThatFailed)
{
  const auto job = launched_gradients(300, 1, {.width = width, .subtasks_max = 20, .fails_at = 150});
  const gpu_under_test on{{}, {}, resident_from(1)};
  const auto session = on.open(job.data(), fold_kind::ordered);
  ASSERT_EQ(session->launch({0, 100}), batch_status::queued);
  ASSERT_EQ(session->launch({100, 200}), batch_status::kernel_failed);  // its first pieces were launched
  fastgpu::interval batch;
  ASSERT_EQ(support::poll_to_end(*session, batch), batch_status::done);
  EXPECT_THROW((void)session->seal(), fastgpu::error);
}

}  // namespace

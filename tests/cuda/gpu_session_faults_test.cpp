#include "support/emulated_backend.hpp"

#include "cuda/gpu_session.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <numeric>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/failure_of.hpp"
#include "support/gpu_jobs.hpp"
#include "support/gpu_under_test.hpp"
#include "support/partial_value.hpp"

/// @file
/// Sessions on a GPU that fails.

namespace {

using fastgpu::by_size;
using fastgpu::errc;
using fastgpu::interval;
using fastgpu::make_job;
using fastgpu::memory_kind;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::batch_status;
using fastgpu::detail::fold_kind;
using support::batches_of;
using support::failure_of;
using support::gpu_under_test;
using support::matrix_in;
using support::numbering;
using support::pitch;
using support::rough_sum;
using support::rows;
using support::run_batches;
using support::untouched;
using support::value_of;

/// Inputs, outputs, a constant, and a sum.
struct everything {
  std::vector<double> in;
  std::vector<double> table{3.0};
  std::vector<double> out;

  everything() : in(120), out(120, 0.0) { std::iota(in.begin(), in.end(), 1.0); }

  auto job()
  {
    return make_job(
        space(120, by_size{10}),
        [](std::uint64_t n, fastgpu::in1<double> from, fastgpu::in1<double> factor, fastgpu::out1<double> to) {
          const auto i = static_cast<std::int64_t>(n);
          to(i) = factor(0) * from(i);
          return to(i);
        },
        fastgpu::slices(in), fastgpu::broadcast(table), fastgpu::gather(out), reduced(sum<double>{}));
  }
  static constexpr double total = 3.0 * 120 * 121 / 2;
};

enum class ended { at_opening, at_a_batch, at_the_seal, well };

/// Opens, runs everything in four batches, seals.
ended run_everything(const gpu_under_test& on, fold_kind fold)
{
  everything data;
  const auto job = data.job();
  std::unique_ptr<fastgpu::detail::device_session> session;
  try {
    session = on.open(job.data(), fold);
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.why().code, errc::device_lost);
    return ended::at_opening;
  }
  const auto status = run_batches(*session, batches_of(12, 3), 4);
  if (status != batch_status::done) {
    EXPECT_EQ(status, batch_status::lost);
    EXPECT_EQ(session->why().code, errc::device_lost);
    EXPECT_NE(session->why().detail, "");
    return ended::at_a_batch;
  }
  try {
    const auto sealed = session->seal();
    EXPECT_EQ(value_of<double>(*sealed.values), everything::total);
    for (std::size_t i = 0; i < 120; ++i) EXPECT_EQ(data.out[i], 3 * data.in[i]);
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.why().code, errc::device_lost);
    return ended::at_the_seal;
  }
  return ended::well;
}

TEST(GpuSession, TellsOfAFaultAfterAnyOperation)
{
  for (const auto fold : {fold_kind::ordered, fold_kind::exact, fold_kind::single}) {
    int count[4] = {};
    auto how = ended::at_opening;
    for (std::uint64_t n = 0; how != ended::well; ++n) {
      SCOPED_TRACE(testing::Message() << "after " << n << " operations");
      const gpu_under_test on{{.lost_after = n}};
      how = run_everything(on, fold);
      ++count[static_cast<int>(how)];
      if (how == ended::well) continue;
      everything data;
      const auto job = data.job();
      const auto why = failure_of([&] { (void)on.open(job.data(), fold); });
      EXPECT_EQ(why.code, errc::device_lost);
      EXPECT_EQ(why.detail, "fake: an illegal address was accessed");
      EXPECT_EQ(on.gpu->asked().late_copies, 0u);
      if (HasFailure() || n > 1000) return;
    }
    EXPECT_GT(count[static_cast<int>(ended::at_opening)], 0);
    EXPECT_GT(count[static_cast<int>(ended::at_a_batch)], 20);
    // Only accumulators are still on the GPU then.
    EXPECT_EQ(count[static_cast<int>(ended::at_the_seal)] > 0, fold != fold_kind::ordered);
  }
}

TEST(GpuSession, LeavesNothingUnderWayWhereACallIsRefused)
{
  for (const auto fold : {fold_kind::ordered, fold_kind::exact, fold_kind::single}) {
    int not_well = 0;
    for (std::uint64_t n = 0;; ++n) {
      SCOPED_TRACE(testing::Message() << "call " << n);
      const gpu_under_test on{{.refused_call = n}};
      const auto how = run_everything(on, fold);
      if (how == ended::well) break;
      ++not_well;
      // The GPU is as it was, and nothing of what was enqueued before comes late.
      EXPECT_EQ(run_everything(on, fold), ended::well);
      EXPECT_EQ(on.gpu->asked().late_copies, 0u);
      if (HasFailure() || n > 1000) return;
    }
    EXPECT_GT(not_well, 20);
  }
}

TEST(GpuSession, IsNotOpenedWhereNoKernelWasBuiltForTheGpu)
{
  const gpu_under_test on{{.cannot_load = true}};
  const auto job = rough_sum(10, 1);
  const auto why = failure_of([&] { (void)on.open(job.data(), fold_kind::ordered); });
  EXPECT_EQ(why.code, errc::device_lost);
  EXPECT_EQ(why.detail, "loading the kernel: no kernel image for this GPU");
}

TEST(GpuSession, IsWaitedForWhereItEndsWithBatchesUnderWay)
{
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const gpu_under_test on{{.seed = seed}};
    std::vector<std::int32_t> memory(rows * pitch, untouched);
    {
      const auto job = numbering(matrix_in(memory, {memory_kind::pinned}));
      const auto session = on.open(job.data(), fold_kind::none);
      for (std::uint32_t s = 0; s < 8; ++s) ASSERT_EQ(session->launch({s, s + 1}), batch_status::queued);
    }
    // From here on nobody writes what the user has got back.
    memory.assign(memory.size(), untouched);
    EXPECT_EQ(run_everything(on, fold_kind::ordered), ended::well);
    EXPECT_EQ(memory, std::vector<std::int32_t>(rows * pitch, untouched)) << "seed " << seed;
    EXPECT_EQ(on.gpu->asked().late_copies, 0u);
  }
}

/// A source of memory that has none from a moment on.
class failing_memory final : public fastgpu::memory_source {
 public:
  explicit failing_memory(int left) : left_{left} {}
  void* allocate(std::size_t bytes, std::size_t alignment) override
  {
    if (left_-- == 0) throw std::bad_alloc{};
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  void deallocate(void* memory, std::size_t, std::size_t) noexcept override { std::free(memory); }

 private:
  int left_;
};

TEST(GpuSession, LeavesNothingUnderWayWhereTheHostHasNoMemory)
{
  int failures = 0;
  for (int left = 0; left < 10; ++left) {
    const gpu_under_test on;
    const auto job = rough_sum(4000, 2);
    {
      failing_memory memory{left};
      const auto session = on.device->open({&job.data(), fold_kind::ordered, &on.stop, 0, &memory});
      // Spans far from each other: each is a node of the forest.
      std::vector<interval> batches;
      for (std::uint32_t s = 0; s < 2000; s += 3) batches.push_back({s, s + 1});
      try {
        if (run_batches(*session, batches, 8) != batch_status::done) ++failures;
      } catch (const std::bad_alloc&) {
        ++failures;
        EXPECT_EQ(run_everything(on, fold_kind::ordered), ended::well);  // while the session is still there
      }
    }
    EXPECT_EQ(run_everything(on, fold_kind::ordered), ended::well);
  }
  EXPECT_GT(failures, 1);
}

}  // namespace

#include "support/emulated_backend.hpp"

#include "cuda/gpu_session.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/gradients.hpp"

/// @file
/// Kernels that launch for themselves and leave a vector for each subtask, over a GPU of host memory.

namespace {

using fastgpu::by_size;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::batch_status;
using fastgpu::detail::fold_kind;
using support::batches_of;
using support::gpu_under_test;
using support::gradients;
using support::launched_gradients;
using support::on_host;
using support::run_batches;
using support::tallied_gradients;
using support::vector_of;

TEST(GpuLaunches, GiveTheBitsOfTalliesInOrder)
{
  for (const std::int64_t granule : {1, 3}) {
    for (const std::int64_t subtasks : {100, 40'000}) {  // a span is one of them, and several
      const auto n = subtasks * granule;
      const auto job = launched_gradients(n, granule, {.width = 5});
      const auto tallied = tallied_gradients(n, granule, 5);
      const auto expected = on_host<double>(job);
      ASSERT_EQ(expected, on_host<double>(tallied));
      ASSERT_EQ(job.data().shape.span_log2 > 0, subtasks > 100);
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const gpu_under_test on{{.seed = seed}, {}, support::resident_from(seed % 2)};
        const auto session = on.open(job.data(), fold_kind::ordered);
        const auto batches = batches_of(job.data().shape.count, subtasks == 100 ? 7 : 4096, seed);
        ASSERT_EQ(run_batches(*session, batches, 6), batch_status::done);
        EXPECT_EQ(vector_of<double>(*session->seal().values, 5), expected) << "seed " << seed;
      }
    }
  }
}

/// Whole numbers, whose sum any order gives, from a slice and a constant around the tally's place.
struct scaled_rows {
  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, fastgpu::in1<double> in,
                  const double& factor, double* values) const
  {
    gpu.enqueue([batch, in, factor, values] {
      for (std::uint32_t s = 0; s < batch.size(); ++s) {
        for (std::int64_t k = 0; k < 4; ++k) {
          values[s * 4 + k] = 0;
          for (auto i = batch[s].begin[0]; i < batch[s].end[0]; ++i)
            values[s * 4 + k] += factor * in(i) + static_cast<double>(k);
        }
      }
    });
  }
  void operator()(fastgpu::block<1> b, fastgpu::in1<double> in, fastgpu::tally<sum<double>> to,
                  const double& factor) const
  {
    for (auto i = b.begin[0]; i < b.end[0]; ++i) {
      for (std::int64_t k = 0; k < 4; ++k) to.merge(k, factor * in(i) + static_cast<double>(k));
    }
  }
};

TEST(GpuLaunches, AddTheirVectorsUpInAnyModeWithoutTheTally)
{
  std::vector<double> in(200);
  double total = 0;
  for (std::size_t i = 0; i < in.size(); ++i) total += in[i] = static_cast<double>(i * 7 % 31);
  const auto job = make_job(space(200, by_size{3}), scaled_rows{}, fastgpu::slices(in), reduced(sum<double>{}, 4), 2.0);
  const std::vector<double> expected{2 * total, 2 * total + 200, 2 * total + 400, 2 * total + 600};
  for (const auto fold : {fold_kind::ordered, fold_kind::single}) {
    EXPECT_EQ(on_host<double>(job, fold), expected);
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      for (const std::uint32_t size : {1u, 10u, 67u}) {
        const gpu_under_test on{{.seed = seed}};
        const auto session = on.open(job.data(), fold);
        ASSERT_EQ(run_batches(*session, batches_of(67, size, seed), 8), batch_status::done);
        EXPECT_EQ(vector_of<double>(*session->seal().values, 4), expected) << "seed " << seed << ", by " << size;
      }
    }
  }
}

/// Sums of blocks, by launches that need 100 bytes of scratch memory a subtask.
struct roomy_sums {
  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, double* values) const
  {
    if (gpu.scratch(100 * batch.size()) == nullptr) throw std::runtime_error{"no scratch memory"};
    gpu.enqueue([batch, values] {
      for (std::uint32_t s = 0; s < batch.size(); ++s) values[s] = support::rough(batch[s].subtask);
    });
  }
  double operator()(fastgpu::block<1> b) const { return support::rough(b.subtask); }
};

class GpuLaunchesOfMuch : public testing::Test {
 protected:
  void TearDown() override { fastgpu::cuda_context::scratch_bytes_max = ~std::size_t{0}; }
};

TEST_F(GpuLaunchesOfMuch, AreDoneForFewerSubtasksAtATime)
{
  const auto job = make_job(space(640, by_size{10}), roomy_sums{}, reduced(sum<double>{}));
  std::vector<std::vector<double>> values;
  for (std::uint64_t s = 0; s < 64; ++s) values.push_back({support::rough(s)});
  const auto expected = reference::merge_ordered(sum<double>{}, values, job.data().shape.span_log2, true);
  for (const std::size_t bytes : {100u, 700u, 6399u, 6400u}) {
    fastgpu::cuda_context::scratch_bytes_max = bytes;
    const gpu_under_test on;
    const auto session = on.open(job.data(), fold_kind::ordered);
    ASSERT_EQ(run_batches(*session, {{0, 64}}), batch_status::done) << bytes;
    const auto sealed = session->seal();
    EXPECT_EQ(sealed.counter, 64u);
    EXPECT_EQ(vector_of<double>(*sealed.values, 1), std::vector<double>{expected}) << bytes;
  }
}

TEST_F(GpuLaunchesOfMuch, AreDoneForFewerSubtasksWhateverTheirValuesGoInto)
{
  const auto job = make_job(space(640, by_size{10}), roomy_sums{}, reduced(sum<double>{}));
  fastgpu::detail::exact_state<sum<double>> state;
  for (std::uint64_t s = 0; s < 64; ++s) state.add(support::rough(s));
  state.normalize();
  for (const auto fold : {fold_kind::exact, fold_kind::single}) {
    fastgpu::cuda_context::scratch_bytes_max = 700;
    const gpu_under_test on;
    const auto session = on.open(job.data(), fold);
    ASSERT_EQ(run_batches(*session, {{0, 30}, {30, 64}}, 2), batch_status::done);
    const auto sealed = session->seal();
    EXPECT_EQ(sealed.counter, 64u);
    const auto value = vector_of<double>(*sealed.values, 1).front();
    EXPECT_DOUBLE_EQ(value, state.value());
    EXPECT_TRUE(fold != fold_kind::exact || value == state.value());
  }
}

/// Does without the first memory, and fails for a reason of its own.
struct singular {
  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>&, double*) const
  {
    if (gpu.scratch(1000) == nullptr && gpu.scratch(10) == nullptr) throw std::runtime_error{"no scratch memory"};
    throw std::runtime_error{"the matrix is singular"};
  }
  double operator()(fastgpu::block<1>) const { return 0; }
};

TEST_F(GpuLaunchesOfMuch, FailByWhatTheyThrowWhereLessMemoryWasEnough)
{
  const auto job = make_job(space(640, by_size{10}), singular{}, reduced(sum<double>{}));
  fastgpu::cuda_context::scratch_bytes_max = 100;
  const gpu_under_test on;
  const auto session = on.open(job.data(), fold_kind::ordered);
  ASSERT_EQ(session->launch({0, 64}), batch_status::kernel_failed);
  EXPECT_EQ(session->why().detail, "the matrix is singular");
}

TEST_F(GpuLaunchesOfMuch, LoseTheGpuWhereOneSubtaskNeedsTooMuch)
{
  const auto job = make_job(space(640, by_size{10}), roomy_sums{}, reduced(sum<double>{}));
  fastgpu::cuda_context::scratch_bytes_max = 99;
  const gpu_under_test on;
  const auto session = on.open(job.data(), fold_kind::ordered);
  ASSERT_EQ(session->launch({0, 64}), batch_status::lost);
  EXPECT_NE(session->why().detail.find("no 100 bytes of scratch memory"), std::string::npos) << session->why().detail;
}

TEST(GpuLaunches, FailTheBatchByWhatTheyThrow)
{
  const auto job = launched_gradients(30, 1, {.width = 2, .fails_at = 17});
  const gpu_under_test on;
  const auto session = on.open(job.data(), fold_kind::ordered);
  ASSERT_EQ(session->launch({10, 20}), batch_status::kernel_failed);
  EXPECT_EQ(session->why().detail, "as it was told to");
}

}  // namespace

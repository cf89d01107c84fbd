#include "support/emulated_backend.hpp"

#include "cuda/gpu_session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/failure_of.hpp"
#include "support/gpu_jobs.hpp"
#include "support/gpu_under_test.hpp"
#include "support/partial_value.hpp"

/// @file
/// Sessions on a GPU, batch by batch, over a GPU of host memory.

namespace {

using fastgpu::by_size;
using fastgpu::errc;
using fastgpu::extents;
using fastgpu::index;
using fastgpu::interval;
using fastgpu::make_job;
using fastgpu::memory_kind;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::batch_status;
using fastgpu::detail::fold_kind;
using support::all_kinds;
using support::batches_of;
using support::columns;
using support::failure_of;
using support::gpu_under_test;
using support::matrix_in;
using support::numbered;
using support::numbering;
using support::pitch;
using support::poll_to_end;
using support::rough;
using support::rough_sum;
using support::rough_sum_in_order;
using support::rows;
using support::run_batches;
using support::untouched;
using support::value_of;

// Order --------------------------------------------------------------------------------------------------------------

TEST(GpuSession, GivesTheSameBitsInAnyOrderOfStreams)
{
  const auto job = rough_sum(5000, 37);
  const auto expected = rough_sum_in_order(5000, 37, 0);
  ASSERT_EQ(job.data().shape.count, 136u);
  ASSERT_EQ(job.data().shape.span_log2, 0u);
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    for (const std::uint32_t size : {1u, 5u, 136u}) {
      for (const std::uint32_t in_flight : {1u, 3u, 8u}) {
        const gpu_under_test on{{.seed = seed}};
        const auto session = on.open(job.data(), fold_kind::ordered);
        ASSERT_EQ(run_batches(*session, batches_of(136, size, seed), in_flight), batch_status::done);
        const auto sealed = session->seal();
        EXPECT_EQ(value_of<double>(*sealed.values), expected) << "seed " << seed << ", " << size << " a batch";
        EXPECT_EQ(sealed.counter, 136u);
      }
    }
  }
}

TEST(GpuSession, FoldsIntoOneAccumulatorALaneInAnyOrderOfStreams)
{
  const auto job = make_job(
      space(5000, by_size{37}), [](std::uint64_t i) { return i * i; }, reduced(sum<std::uint64_t>{}));
  const auto maximum = make_job(
      space(5000, by_size{37}), [](std::uint64_t i) { return -1 - std::fabs(rough(i)); },
      reduced(fastgpu::maximum<double>{}));
  double largest = -1e300;
  for (std::uint64_t i = 0; i < 5000; ++i) largest = std::max(largest, -1 - std::fabs(rough(i)));
  const auto exact = rough_sum(5000, 37);
  fastgpu::detail::exact_state<sum<double>> state;
  for (std::uint64_t i = 0; i < 5000; ++i) state.add(rough(i));
  state.normalize();
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    for (const std::uint32_t size : {9u, 136u}) {  // all is one batch: in one lane of four
      const gpu_under_test on{{.seed = seed}};
      const auto run = [&](const auto& what, fold_kind fold) {
        auto session = on.open(what.data(), fold);
        EXPECT_EQ(run_batches(*session, batches_of(136, size, seed), 8), batch_status::done);
        return std::move(session->seal().values);
      };
      EXPECT_EQ(value_of<std::uint64_t>(*run(job, fold_kind::single)), 41654167500u);
      EXPECT_EQ(value_of<double>(*run(maximum, fold_kind::single)), largest);
      EXPECT_EQ(value_of<double>(*run(exact, fold_kind::exact)), state.value());
    }
  }
}

/// Numbers its block's elements through the memory that a team shares, and yields a rough value for each block.
struct block_of_team {
  static constexpr std::size_t shared_bytes = 64 * sizeof(std::int32_t);

  double operator()(const fastgpu::team& t, fastgpu::block<1> b, fastgpu::out1<std::int32_t> out) const
  {
    auto* there = t.shared<std::int32_t>(b.count());
    t.for_each(b, [&](index<1> i) { there[i[0] - b.begin[0]] = static_cast<std::int32_t>(i[0]); });
    t.sync();
    t.for_each(b, [&](index<1> i) { out(i) = there[i[0] - b.begin[0]]; });
    return rough(b.subtask);
  }
};

TEST(GpuSession, RunsTeamsInEveryMode)
{
  std::vector<std::int32_t> out(5000);
  const auto job = make_job(space(5000, by_size{37}), block_of_team{}, fastgpu::gather(out), reduced(sum<double>{}));
  std::vector<std::vector<double>> values;
  fastgpu::detail::exact_state<sum<double>> state;
  for (std::uint64_t s = 0; s < 136; ++s) {
    values.push_back({rough(s)});
    state.add(rough(s));
  }
  state.normalize();
  const auto in_order = reference::merge_ordered(sum<double>{}, values, job.data().shape.span_log2, true);
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    for (const std::uint32_t size : {1u, 9u, 136u}) {
      const gpu_under_test on{{.seed = seed}};
      const auto run = [&](fold_kind fold) {
        std::fill(out.begin(), out.end(), -1);
        auto session = on.open(job.data(), fold);
        EXPECT_EQ(run_batches(*session, batches_of(136, size, seed), 8), batch_status::done);
        auto sealed = session->seal();
        for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], static_cast<std::int32_t>(i));
        return value_of<double>(*sealed.values);
      };
      EXPECT_EQ(run(fold_kind::ordered), in_order);
      EXPECT_EQ(run(fold_kind::exact), state.value());
      EXPECT_DOUBLE_EQ(run(fold_kind::single), in_order);
    }
  }
}

// Outputs ------------------------------------------------------------------------------------------------------------

TEST(GpuSession, WritesNothingBesideItsSubtasksElements)
{
  const std::vector<interval> some{{1, 2}, {5, 8}, {10, 12}};
  for (const auto where : all_kinds) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      std::vector<std::int32_t> memory(rows * pitch, untouched);
      const auto job = numbering(matrix_in(memory, where));
      const gpu_under_test on{{.seed = seed}};
      const auto session = on.open(job.data(), fold_kind::none);
      ASSERT_EQ(run_batches(*session, some, 3), batch_status::done);
      EXPECT_EQ(memory, numbered(some)) << "kind " << static_cast<int>(where.kind) << ", seed " << seed;
    }
  }
}

TEST(GpuSession, SharesRowsOfAnOutputWithOtherGpus)
{
  for (const auto where : all_kinds) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      std::vector<std::int32_t> memory(rows * pitch, untouched);
      const auto job = numbering(matrix_in(memory, where));
      const gpu_under_test gpus[] = {gpu_under_test{{.seed = seed}}, gpu_under_test{{.seed = seed + 100}}};
      std::unique_ptr<fastgpu::detail::device_session> sessions[2];
      // All under way at the same time, in turns; most end in the middle of a row of tiles.
      const interval of_each[2][3] = {{{0, 1}, {5, 7}, {8, 10}}, {{1, 5}, {7, 8}, {10, 12}}};
      for (std::size_t g = 0; g < 2; ++g) {
        sessions[g] = gpus[g].open(job.data(), fold_kind::none);
        for (const auto& batch : of_each[g]) ASSERT_EQ(sessions[g]->launch(batch), batch_status::queued);
      }
      for (int turn = 0; turn < 3; ++turn) {
        for (auto& session : sessions) {
          interval batch;
          ASSERT_EQ(poll_to_end(*session, batch), batch_status::done);
        }
      }
      EXPECT_EQ(memory, numbered({{0, 12}})) << "kind " << static_cast<int>(where.kind) << ", seed " << seed;
    }
  }
}

// Kinds of memory ----------------------------------------------------------------------------------------------------

TEST(GpuSession, ReadsDataOfAnyKindOfMemory)
{
  for (const auto where : all_kinds) {
    std::vector<std::int32_t> in(rows * pitch, 0);
    std::iota(in.begin(), in.end(), 1);
    std::vector<std::int32_t> table{5, 7, 11};
    std::vector<std::int32_t> out(rows * pitch, untouched);
    const auto job = make_job(
        space(extents{rows, columns}, by_size{3, 4}),
        [](index<2> at, fastgpu::in2<std::int32_t> from, fastgpu::in1<std::int32_t> factors,
           fastgpu::out2<std::int32_t> to) { to(at) = from(at) * factors(at[1] % 3); },
        fastgpu::slices(matrix_in(in, where)),
        fastgpu::broadcast(fastgpu::data_view<std::int32_t, 1>{table.data(), extents{3}, where}),
        fastgpu::gather(matrix_in(out, where)));
    const gpu_under_test on;
    const auto session = on.open(job.data(), fold_kind::none);
    ASSERT_EQ(run_batches(*session, batches_of(12, 5), 2), batch_status::done);
    std::vector<std::int32_t> expected(rows * pitch, untouched);
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) {
        const auto at = static_cast<std::size_t>(y * pitch + x);
        expected[at] = in[at] * table[static_cast<std::size_t>(x % 3)];
      }
    }
    EXPECT_EQ(out, expected) << "kind " << static_cast<int>(where.kind) << " of " << where.device;
  }
}

TEST(GpuSession, HasItsConstantsBeforeTheFirstBatch)
{
  const std::vector<double> table{5, 7, 11, 13};
  const std::vector<double> costs{1, 1, 5, 1, 1, 1, 4, 1, 1, 1};
  const auto job = make_job(
      space(fastgpu::by_cost{costs, 4}),
      [](std::uint64_t i, fastgpu::in1<double> factors) {
        return static_cast<double>(i) * factors(static_cast<std::int64_t>(i % 4));
      },
      fastgpu::broadcast(table), reduced(sum<double>{}));
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const gpu_under_test on{{.seed = seed}};
    const auto session = on.open(job.data(), fold_kind::ordered);
    ASSERT_EQ(run_batches(*session, batches_of(job.data().shape.count, 1), 4), batch_status::done);
    EXPECT_EQ(value_of<double>(*session->seal().values), 383) << "seed " << seed;
  }
}

TEST(GpuSession, LeavesMemoryOfTheGpuItselfWhereItIs)
{
  std::vector<std::int32_t> memory(rows * pitch, untouched);
  const auto bytes = [&](fastgpu::memory where) {
    const auto job = numbering(matrix_in(memory, where));
    const gpu_under_test on;
    const auto session = on.open(job.data(), fold_kind::none);
    EXPECT_EQ(run_batches(*session, {{0, 12}}), batch_status::done);
    return on.gpu->asked().bytes_max;
  };
  EXPECT_EQ(bytes({memory_kind::device, 0}), 0u);
  EXPECT_GE(bytes({memory_kind::device, 1}), rows * columns * sizeof(std::int32_t));
  EXPECT_GE(bytes({memory_kind::pinned}), rows * columns * sizeof(std::int32_t));
}

TEST(GpuSession, ScattersToMemoryThatTheGpuReaches)
{
  for (const fastgpu::memory where : {fastgpu::memory{memory_kind::pinned}, fastgpu::memory{memory_kind::device, 0}}) {
    std::vector<std::int32_t> out(20, untouched);
    const auto job = make_job(
        space(10, by_size{3}),
        [](std::uint64_t i, fastgpu::out1<std::int32_t> to) {
          to(static_cast<std::int64_t>(19 - 2 * i)) = static_cast<std::int32_t>(i);
        },
        fastgpu::scatter(fastgpu::data_view<std::int32_t, 1>{out.data(), extents{20}, where}));
    const gpu_under_test on;
    const auto session = on.open(job.data(), fold_kind::none);
    ASSERT_EQ(run_batches(*session, {{1, 4}}), batch_status::done);
    std::vector<std::int32_t> expected(20, untouched);
    for (std::size_t i = 3; i < 10; ++i) expected[19 - 2 * i] = static_cast<std::int32_t>(i);
    EXPECT_EQ(out, expected);
  }
}

TEST(GpuSession, RefusesWhatItCannotReach)
{
  std::vector<std::int32_t> data(10, 0);
  const auto view = [&](fastgpu::memory where) {
    return fastgpu::data_view<std::int32_t, 1>{data.data(), extents{10}, where};
  };
  const auto scattering = [&](fastgpu::memory where) {
    return make_job(
        space(10, by_size{3}),
        [](std::uint64_t i, fastgpu::out1<std::int32_t> to) { to(static_cast<std::int64_t>(i)) = 1; },
        fastgpu::scatter(view(where)));
  };
  const gpu_under_test on;
  for (const fastgpu::memory where : {fastgpu::memory{memory_kind::host}, fastgpu::memory{memory_kind::device, 1}}) {
    const auto why = failure_of([&] { (void)on.open(scattering(where).data(), fold_kind::none); });
    EXPECT_EQ(why.code, errc::no_usable_device);
    EXPECT_EQ(why.detail, "argument 0: scatter() on a GPU needs pinned memory, or that of the GPU itself");
  }
  const auto with_halo = make_job(
      space(10, by_size{3}),
      [](std::uint64_t i, fastgpu::in1<std::int32_t> from) { return from(static_cast<std::int64_t>(i) + 1); },
      fastgpu::slices(view({memory_kind::device, 1}), 1, fastgpu::border::replicate), reduced(sum<std::int32_t>{}));
  const auto why = failure_of([&] { (void)on.open(with_halo.data(), fold_kind::single); });
  EXPECT_EQ(why.code, errc::no_usable_device);
  EXPECT_EQ(why.detail, "argument 0: slices() with a halo of another GPU's memory");
}

}  // namespace

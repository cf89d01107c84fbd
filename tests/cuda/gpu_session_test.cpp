#include "support/emulated_backend.hpp"

#include "cuda/gpu_session.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/failure_of.hpp"
#include "support/gpu_under_test.hpp"
#include "support/ordered_reference.hpp"
#include "support/partial_value.hpp"
#include "support/splitmix.hpp"

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
using support::batches_of;
using support::failure_of;
using support::gpu_faults;
using support::gpu_under_test;
using support::poll_to_end;
using support::run_batches;
using support::value_of;

/// A double over many powers of two, so that every order of additions has its own bits.
double rough(std::uint64_t i)
{
  const auto bits = support::mix(i + 1);
  return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits) >> 11), static_cast<int>(bits % 61) - 80);
}

auto rough_sum(std::int64_t n, std::int64_t granule)
{
  return make_job(space(n, by_size{granule}), [](std::uint64_t i) { return rough(i); }, reduced(sum<double>{}));
}

double rough_sum_in_order(std::uint64_t n, std::uint64_t granule, std::uint32_t span_log2)
{
  std::vector<std::vector<double>> subtasks((n + granule - 1) / granule);
  for (std::uint64_t i = 0; i < n; ++i) subtasks[i / granule].push_back(rough(i));
  return reference::merge_ordered(sum<double>{}, subtasks, span_log2, true);
}

/// Matrices with a distance between rows, and what they hold where nothing is written.
constexpr std::int32_t untouched = -7;
constexpr std::int64_t rows = 12;
constexpr std::int64_t columns = 10;
constexpr std::int64_t pitch = 16;

fastgpu::data_view<std::int32_t, 2> matrix_in(std::vector<std::int32_t>& memory, fastgpu::memory where = {})
{
  return {memory.data(), extents{rows, columns}, index<2>{{pitch, 1}}, where};
}

/// Numbers its elements into `out`. Tiles of 3 x 4: four rows of three.
auto numbering(fastgpu::data_view<std::int32_t, 2> out)
{
  return make_job(
      space(extents{rows, columns}, by_size{3, 4}),
      [](index<2> at, fastgpu::out2<std::int32_t> to) { to(at) = static_cast<std::int32_t>(at[0] * 100 + at[1]); },
      fastgpu::gather(out));
}

/// What is in memory when exactly the subtasks of `done` have run.
std::vector<std::int32_t> numbered(const std::vector<interval>& done)
{
  std::vector<std::int32_t> memory(rows * pitch, untouched);
  for (const auto& batch : done) {
    for (auto s = batch.begin; s < batch.end; ++s) {
      for (std::int64_t y = s / 3 * 3; y < s / 3 * 3 + 3; ++y) {
        for (std::int64_t x = s % 3 * 4; x < std::min<std::int64_t>(s % 3 * 4 + 4, columns); ++x) {
          memory[static_cast<std::size_t>(y * pitch + x)] = static_cast<std::int32_t>(y * 100 + x);
        }
      }
    }
  }
  return memory;
}

constexpr fastgpu::memory all_kinds[] = {{memory_kind::host}, {memory_kind::pinned}, {memory_kind::device, 0},
                                         {memory_kind::device, 1}};

// Order -----------------------------------------------------------------------------------------------------------------

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

// Outputs -----------------------------------------------------------------------------------------------------------------

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

// Kinds of memory ---------------------------------------------------------------------------------------------------------

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
        space(10, by_size{3}), [](std::uint64_t i, fastgpu::out1<std::int32_t> to) { to(static_cast<std::int64_t>(i)) = 1; },
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

// Memory ------------------------------------------------------------------------------------------------------------------

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
    for (const auto& faults : {gpu_faults{.seed = seed, .memory_bytes = 10'000}, {.seed = seed, .pinned_bytes = 10'000}}) {
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

// Faults ------------------------------------------------------------------------------------------------------------------

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

#include "aggregate/partial.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/job.hpp>

#include "support/fingerprint.hpp"
#include "support/indices.hpp"
#include "support/ordered_reference.hpp"
#include "support/partial_value.hpp"

namespace {

using fastgpu::by_count;
using fastgpu::by_size;
using fastgpu::extents;
using fastgpu::index;
using fastgpu::interval;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::fold_kind;
using fastgpu::detail::job_data;
using fastgpu::detail::partial;
using support::fingerprint;
using support::indices_of;
using support::mark_of;
using support::number_of;
using support::trace_merges;
using support::value_of;

/// Folds `batch` into `into` as a device does.
void fold(partial& into, const job_data& job, interval batch)
{
  static constexpr int running = 0;
  fastgpu::detail::worker_context context{{}, &running};
  ASSERT_TRUE(into.fold(batch));
  job.code->run_host(job, batch.begin, batch.end, into.target(), context);
}

/// What another process has of `sent` once it was packed, sent and unpacked.
std::unique_ptr<partial> in_another_process(const job_data& job, fold_kind kind, partial& sent)
{
  auto arrived = std::make_unique<partial>(job, kind);
  EXPECT_TRUE(arrived->unpack(sent.pack(), sent.fold_set()));
  EXPECT_EQ(arrived->fold_set(), sent.fold_set());
  return arrived;
}

/// Cuts all subtasks of `job` into batches at spans, gives them to some partials in any order, of which some come from
/// other processes, and absorbs these in any order into one.
std::unique_ptr<partial> fold_in_pieces(const job_data& job, fold_kind kind, std::mt19937_64& random)
{
  const auto span = std::uint32_t{1} << job.shape.span_log2;
  const auto longest = 1 + random() % (1 + job.shape.count / 8);
  std::vector<interval> batches;
  for (std::uint32_t begin = 0; begin < job.shape.count;) {
    const auto wanted = (begin + 1 + random() % longest + span - 1) / span * span;
    const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, job.shape.count));
    batches.push_back({begin, end});
    begin = end;
  }
  std::shuffle(batches.begin(), batches.end(), random);
  std::vector<std::unique_ptr<partial>> partials;
  for (auto n = 1 + random() % 5; n > 0; --n) partials.push_back(std::make_unique<partial>(job, kind));
  for (const auto& batch : batches) fold(*partials[random() % partials.size()], job, batch);
  auto total = std::make_unique<partial>(job, kind);
  std::shuffle(partials.begin(), partials.end(), random);
  for (auto& part : partials) {
    if (!part->empty() && random() % 2 == 0) part = in_another_process(job, kind, *part);
    total->absorb(std::move(*part));
  }
  EXPECT_EQ(total->fold_set().intervals(), (std::vector<interval>{{0, job.shape.count}}));
  return total;
}

TEST(AlignedBytes, AreAlignedTo64)
{
  EXPECT_EQ(fastgpu::detail::allocate_aligned(0, fastgpu::detail::heap()), nullptr);
  for (const std::size_t bytes : {1u, 63u, 64u, 1000u}) {
    const auto memory = fastgpu::detail::allocate_aligned(bytes, fastgpu::detail::heap());
    EXPECT_EQ(std::bit_cast<std::uintptr_t>(memory.get()) % 64, 0u);
    std::memset(memory.get(), 1, bytes);
  }
}

TEST(Partial, IsEmptyWhenMade)
{
  const auto job = make_job(
      10, [](std::uint64_t i) { return static_cast<double>(i); }, reduced(sum<double>{}));
  for (const auto kind : {fold_kind::none, fold_kind::single, fold_kind::exact, fold_kind::ordered}) {
    const partial p{job.data(), kind};
    EXPECT_TRUE(p.empty());
    EXPECT_EQ(p.fold_set().count(), 0u);
  }
}

TEST(Partial, RefusesToFoldASubtaskTwice)
{
  const auto job = make_job(
      space{10, by_size{1}}, [](std::uint64_t i) { return i; }, reduced(sum<std::uint64_t>{}));
  partial p{job.data(), fold_kind::single};
  EXPECT_TRUE(p.fold({2, 5}));
  EXPECT_FALSE(p.fold({2, 5}));
  EXPECT_FALSE(p.fold({0, 3}));
  EXPECT_FALSE(p.fold({4, 9}));
  EXPECT_TRUE(p.fold({5, 9}));
  EXPECT_EQ(p.fold_set().intervals(), (std::vector<interval>{{2, 9}}));
}

/// Larger than registers: its operation builds the sum in the memory that the caller names.
struct moments {
  double sum = 0;
  std::uint64_t count = 0;
  double others[8] = {};
};

TEST(Partial, MergesStructsThatAreBuiltInPlace)
{
  const auto job = make_job(
      space{1000, by_size{10}}, [](std::uint64_t i) { return moments{static_cast<double>(i), 1}; },
      reduced(fastgpu::sum_of<&moments::sum, &moments::count>{}));
  partial p{job.data(), fold_kind::single};
  fold(p, job.data(), {0, 100});
  const auto value = value_of<moments>(p);
  EXPECT_EQ(value.sum, 499'500.0);
  EXPECT_EQ(value.count, 1000u);
}

TEST(Partial, UnitesFoldSets)
{
  const auto job = make_job(
      space{10, by_size{1}}, [](std::uint64_t i) { return i; }, reduced(sum<std::uint64_t>{}));
  partial a{job.data(), fold_kind::single};
  partial b{job.data(), fold_kind::single};
  fold(a, job.data(), {0, 2});
  fold(a, job.data(), {6, 8});
  fold(b, job.data(), {2, 4});
  a.absorb(std::move(b));
  EXPECT_EQ(a.fold_set().intervals(), (std::vector<interval>{{0, 4}, {6, 8}}));
  EXPECT_EQ(value_of<std::uint64_t>(a), 0u + 1 + 2 + 3 + 6 + 7);
}

TEST(Partial, TakesTheFirstValueForTheWholeWhereItHasNone)
{
  // No operation on "nothing yet": a minimum has no identity.
  const auto job = make_job(
      space{10, by_size{1}}, [](std::uint64_t i) { return 5.0 - static_cast<double>(i % 4); },
      reduced(fastgpu::minimum<double>{}));
  partial none{job.data(), fold_kind::single};
  partial total{job.data(), fold_kind::single};
  partial some{job.data(), fold_kind::single};
  fold(some, job.data(), {0, 10});
  total.absorb(std::move(none));
  total.absorb(std::move(some));
  partial also_none{job.data(), fold_kind::single};
  total.absorb(std::move(also_none));
  EXPECT_EQ(value_of<double>(total), 2.0);
}

TEST(Partial, HasASetButNoValueWhereNothingIsReduced)
{
  std::vector<int> out(10);
  const auto job = make_job(
      space{10, by_size{3}},
      [](std::uint64_t i, fastgpu::out1<int> to) { to(static_cast<std::int64_t>(i)) = static_cast<int>(i) + 1; },
      fastgpu::gather(out));
  partial p{job.data(), fold_kind::none};
  fold(p, job.data(), {0, 2});
  fold(p, job.data(), {2, 4});
  EXPECT_EQ(p.fold_set().count(), 4u);
  EXPECT_EQ(out, (std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST(Partial, SumsExactlyInAnyPieces)
{
  // 2^60, many ones and -2^60: a plain sum forgets the ones.
  const auto giants_around_ones = [](std::uint64_t i) {
    if (i == 0) return 0x1p+60;
    return i == 1001 ? -0x1p+60 : 1.0;
  };
  const auto job = make_job(space{1002, by_size{10}}, giants_around_ones, reduced(sum<double>{}));
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random{seed};
    const auto total = fold_in_pieces(job.data(), fold_kind::exact, random);
    ASSERT_EQ(value_of<double>(*total), 1000.0) << "seed " << seed;
  }
}

TEST(Partial, CountsVectorsInAnyPieces)
{
  const auto job = make_job(
      space{1000, by_size{7}},
      [](std::uint64_t i, fastgpu::tally<sum<std::uint64_t>> bins) { bins.merge(static_cast<std::int64_t>(i % 5), i); },
      reduced(sum<std::uint64_t>{}, 5));
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random{seed};
    const auto total = fold_in_pieces(job.data(), fold_kind::single, random);
    ASSERT_EQ((value_of<std::array<std::uint64_t, 5>>(*total)),
              (std::array<std::uint64_t, 5>{99500, 99700, 99900, 100100, 100300}))
        << "seed " << seed;
  }
}

// Shape ordered/1, of whole jobs ----------------------------------------------------------------------------------

/// The elements of each subtask, row-major.
template <int N, class Element>
auto elements_by_subtask(const job_data& job, const Element& element)
{
  std::vector<std::vector<std::decay_t<decltype(element(index<N>{}))>>> all(job.shape.count);
  for (std::uint32_t s = 0; s < job.shape.count; ++s) {
    const auto b = fastgpu::detail::block_of<N>(job.shape, s);
    for (const auto& at : indices_of(b)) all[s].push_back(element(at));
  }
  return all;
}

/// Holds a job of fingerprints, cut up in many ways, against the shape's definition.
template <class Op, int N>
void check_ordered(const space<N>& over, std::uint64_t seeds)
{
  using value = typename Op::value_type;
  constexpr auto bytes = sizeof(value);
  const auto job = make_job(
      over, [](auto at) { return mark_of<bytes>(number_of(at)); }, reduced(Op{}));
  const auto& data = job.data();
  const auto elements = elements_by_subtask<N>(data, [](index<N> at) { return mark_of<bytes>(number_of(at)); });
  const auto expected = reference::merge_ordered(Op{}, elements, data.shape.span_log2, Op::commutative);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::mt19937_64 random{seed};
    const auto total = fold_in_pieces(data, fold_kind::ordered, random);
    ASSERT_EQ(value_of<value>(*total), expected) << "seed " << seed;
  }
}

TEST(OrderedPartial, HasTheShapeInOneDimension)
{
  for (const std::int64_t granule : {1, 3, 64, 255, 256, 257, 1000, 5000}) {
    SCOPED_TRACE("granule " + std::to_string(granule));
    ASSERT_NO_FATAL_FAILURE(check_ordered<trace_merges<>>(space{4321, by_size{granule}}, 10));
  }
}

TEST(OrderedPartial, HasTheShapeInTwoAndThreeDimensions)
{
  ASSERT_NO_FATAL_FAILURE(check_ordered<trace_merges<>>(space{extents{70, 50}, by_size{16, 9}}, 20));
  ASSERT_NO_FATAL_FAILURE(check_ordered<trace_merges<>>(space{extents{70, 50}, by_size{1}}, 5));
  ASSERT_NO_FATAL_FAILURE(check_ordered<trace_merges<>>(space{extents{9, 20, 31}, by_size{4, 7, 11}}, 20));
  ASSERT_NO_FATAL_FAILURE(check_ordered<trace_merges<>>(space{extents{9, 20, 31}, by_count{13}}, 20));
}

TEST(OrderedPartial, MergesSubtasksOfASpanSerially)
{
  const space over{40'000, by_size{1}};  // more than 2^14 subtasks: spans of 4
  const auto job = make_job(
      over, [](std::uint64_t i) { return mark_of(i); }, reduced(trace_merges<>{}));
  ASSERT_EQ(job.data().shape.span_log2, 2u);
  ASSERT_NO_FATAL_FAILURE(check_ordered<trace_merges<>>(over, 5));
}

TEST(OrderedPartial, MergesElementsOneAfterTheOtherUnlessTheyCommute)
{
  using serial = trace_merges<8, false>;
  ASSERT_NO_FATAL_FAILURE(check_ordered<serial>(space{1000, by_size{77}}, 10));
  ASSERT_NO_FATAL_FAILURE(check_ordered<serial>(space{extents{30, 40}, by_size{16, 9}}, 10));
  ASSERT_NO_FATAL_FAILURE(check_ordered<serial>(space{extents{9, 10, 11}, by_size{4, 7, 5}}, 10));
}

TEST(OrderedPartial, HasTheShapeForLargeValuesToo)
{
  ASSERT_NO_FATAL_FAILURE((check_ordered<trace_merges<64>>(space{3000, by_size{700}}, 5)));
  ASSERT_NO_FATAL_FAILURE((check_ordered<trace_merges<72>>(space{3000, by_size{700}}, 5)));
  ASSERT_NO_FATAL_FAILURE((check_ordered<trace_merges<200>>(space{extents{40, 50}, by_size{13, 29}}, 5)));
  ASSERT_NO_FATAL_FAILURE((check_ordered<trace_merges<200, false>>(space{extents{40, 50}, by_size{13, 29}}, 5)));
}

TEST(OrderedPartial, HasTheShapeWhereElementsAreLoaded)
{
  std::vector<std::uint64_t> numbers(5000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 7 * i;
  const auto job = make_job(
      space{5000, by_size{1234}},
      [](std::uint64_t i, fastgpu::in1<std::uint64_t> in) { return mark_of(in(static_cast<std::int64_t>(i))); },
      fastgpu::slices(numbers), reduced(trace_merges<>{}));
  const auto elements = elements_by_subtask<1>(
      job.data(), [&](index<1> at) { return mark_of(numbers[static_cast<std::size_t>(at[0])]); });
  const auto expected = reference::merge_ordered(trace_merges<>{}, elements, 0, true);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::mt19937_64 random{seed};
    const auto total = fold_in_pieces(job.data(), fold_kind::ordered, random);
    ASSERT_EQ(value_of<fingerprint<>>(*total), expected) << "seed " << seed;
  }
}

TEST(OrderedPartial, MergesVectorsBySubtasks)
{
  // Each subtask counts into a fresh vector; these merge by span and tree.
  const auto rough = [](std::uint64_t i) {
    return std::ldexp(static_cast<double>(i % 1013) - 500, static_cast<int>(i * 7 % 60));
  };
  const auto job = make_job(
      space{20'000, by_size{1}},
      [rough](std::uint64_t i, fastgpu::tally<sum<double>> bins) {
        bins.merge(static_cast<std::int64_t>(i % 3), rough(i));
      },
      reduced(sum<double>{}, 3));
  ASSERT_EQ(job.data().shape.span_log2, 1u);
  std::array<std::vector<std::vector<double>>, 3> bins;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    for (std::size_t b = 0; b < 3; ++b) bins[b].push_back({i % 3 == b ? 0.0 + rough(i) : 0.0});
  }
  std::array<double, 3> expected{};
  for (std::size_t b = 0; b < 3; ++b) expected[b] = reference::merge_ordered(sum<double>{}, bins[b], 1, true);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random{seed};
    const auto total = fold_in_pieces(job.data(), fold_kind::ordered, random);
    ASSERT_EQ((value_of<std::array<double, 3>>(*total)), expected) << "seed " << seed;
  }
}

TEST(OrderedPartial, OfAListWithCostsMergesItsSubtasks)
{
  std::vector<double> costs(300);
  for (std::size_t i = 0; i < costs.size(); ++i) costs[i] = static_cast<double>(i * i % 17);
  ASSERT_NO_FATAL_FAILURE(check_ordered<trace_merges<>>(space{fastgpu::by_cost{costs, 40}}, 20));
}

}  // namespace

#include <fastgpu/detail/gpu_subtasks.hpp>  // first: shows that the header stands alone

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include <fastgpu/job.hpp>

#include "support/fingerprint.hpp"
#include "support/indices.hpp"
#include "support/ordered_reference.hpp"
#include "support/splitmix.hpp"

/// @file
/// What the threads of a GPU compute, thread by thread, against the definition of ordered/1.

namespace {

using fastgpu::block;
using fastgpu::by_size;
using fastgpu::extents;
using fastgpu::index;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::space;
using fastgpu::sum;
using fastgpu::detail::block_of;
using fastgpu::detail::fold_kind;
using fastgpu::detail::gpu_batch;
using fastgpu::detail::gpu_subtasks;
using fastgpu::detail::value_reduction;
using fastgpu::detail::vector_reduction;
using support::fingerprint;
using support::mark_of;
using support::number_of;
using support::trace_merges;

double rough(std::uint64_t i)
{
  const auto bits = support::mix(i + 1);
  return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits) >> 11), static_cast<int>(bits % 61) - 80);
}

template <std::size_t Bytes>
struct mark {
  template <int N>
  fingerprint<Bytes> operator()(index<N> at) const
  {
    return mark_of<Bytes>(number_of(at));
  }
};

/// A batch of all subtasks of the job, as the host lays it out.
template <class Job>
gpu_batch batch_of(const Job& job, fold_kind fold)
{
  gpu_batch batch;
  batch.job = &job.data();
  batch.shape = job.data().shape;
  batch.fold = fold;
  batch.end = batch.shape.count;
  for (std::uint32_t s = 0; s < batch.end; ++s) {
    std::int64_t count = 0;
    switch (batch.shape.rank) {
      case 1: count = block_of<1>(batch.shape, s).count(); break;
      case 2: count = block_of<2>(batch.shape, s).count(); break;
      default: count = block_of<3>(batch.shape, s).count();
    }
    batch.largest_subtask = std::max(batch.largest_subtask, static_cast<std::uint32_t>(count));
  }
  return batch;
}

/// Subtask `b` by a thread a lane, which take turns in an order that the seed decides.
template <class S, int N>
typename S::value fold_by_threads(const typename S::params& p, const block<N>& b, std::uint64_t seed)
{
  std::vector<std::int64_t> threads(p.threads_a_subtask);
  for (std::size_t t = 0; t < threads.size(); ++t) threads[t] = static_cast<std::int64_t>(t);
  std::mt19937_64 random{seed};
  std::vector<typename S::value> lanes(threads.size());
  auto filled = std::min<std::int64_t>(b.count(), 256);
  std::shuffle(threads.begin(), threads.end(), random);
  for (const auto t : threads) {
    if (t < filled) lanes[static_cast<std::size_t>(t)] = S::lane_value(p, b, t);
  }
  for (auto step = std::int64_t{p.threads_a_subtask} / 2; step >= 1; step /= 2) {
    std::shuffle(threads.begin(), threads.end(), random);
    for (const auto t : threads) {
      if (!S::lane_merges(t, step, filled)) continue;
      auto& lane = lanes[static_cast<std::size_t>(t)];
      lane = p.op(lane, lanes[static_cast<std::size_t>(t + step)]);
    }
    filled = std::min(filled, step);
  }
  return lanes[0];
}

template <int N, std::size_t Bytes, bool Commutative>
void check_subtasks(const space<N>& over)
{
  using op = trace_merges<Bytes, Commutative>;
  using value = fingerprint<Bytes>;
  using S = gpu_subtasks<N, mark<Bytes>, value_reduction<op, value>>;
  static_assert(S::by_lanes == (Commutative && Bytes <= 64));
  const auto job = make_job(over, mark<Bytes>{}, reduced(op{}));
  const typename S::params p{batch_of(job, fold_kind::ordered)};
  for (std::uint32_t s = 0; s < job.data().shape.count; ++s) {
    const auto b = block_of<N>(job.data().shape, s);
    std::vector<value> elements;
    for (const auto& at : support::indices_of(b)) elements.push_back(mark_of<Bytes>(number_of(at)));
    const auto expected = reference::merge_subtask(op{}, elements, Commutative);
    EXPECT_EQ(S::subtask_value(p, b), expected) << "subtask " << s;
    if constexpr (S::by_lanes) {
      EXPECT_EQ(fold_by_threads<S>(p, b, s), expected) << "subtask " << s;
    } else {
      EXPECT_EQ(p.threads_a_subtask, 1u);
    }
  }
}

template <std::size_t Bytes, bool Commutative>
void check_all_spaces()
{
  for (const std::int64_t granule : {1, 2, 3, 31, 128, 129, 255, 256, 257, 511, 700, 1500}) {
    SCOPED_TRACE(testing::Message() << "granule " << granule);
    check_subtasks<1, Bytes, Commutative>(space(1500, by_size{granule}));
  }
  check_subtasks<2, Bytes, Commutative>(space(extents{50, 43}, by_size{20, 17}));
  check_subtasks<2, Bytes, Commutative>(space(extents{5, 600}, by_size{1, 300}));
  check_subtasks<3, Bytes, Commutative>(space(extents{11, 12, 13}, by_size{4, 7, 13}));
}

TEST(GpuSubtasks, FoldInShapeOrdered1)
{
  check_all_spaces<8, true>();
  check_all_spaces<64, true>();
}

TEST(GpuSubtasks, FoldLargeValuesInShapeOrdered1) { check_all_spaces<128, true>(); }

TEST(GpuSubtasks, FoldInTheOrderOfElementsWhereMergesDoNotCommute) { check_all_spaces<8, false>(); }

TEST(GpuSubtasks, HaveAThreadForEachLaneOfTheLargest)
{
  struct by_block {
    double operator()(block<1> b) const { return static_cast<double>(b.count()); }
  };
  struct by_number {
    double operator()(std::uint64_t i) const { return static_cast<double>(i); }
  };
  const auto threads = [](std::int64_t granule, auto kernel, auto op, fold_kind fold) {
    const auto job = make_job(space(5000, by_size{granule}), kernel, reduced(op));
    using S = gpu_subtasks<1, decltype(kernel), value_reduction<decltype(op), double>>;
    return typename S::params{batch_of(job, fold)}.threads_a_subtask;
  };
  const auto of = [&](std::int64_t granule) { return threads(granule, by_number{}, sum<double>{}, fold_kind::ordered); };
  EXPECT_EQ(of(1), 1u);
  EXPECT_EQ(of(2), 2u);
  EXPECT_EQ(of(3), 4u);
  EXPECT_EQ(of(128), 128u);
  EXPECT_EQ(of(129), 256u);
  EXPECT_EQ(of(256), 256u);
  EXPECT_EQ(of(257), 256u);
  EXPECT_EQ(of(5000), 256u);
  EXPECT_EQ(threads(100, by_number{}, sum<double>{}, fold_kind::exact), 128u);
  EXPECT_EQ(threads(100, by_block{}, sum<double>{}, fold_kind::ordered), 1u);
  const auto first = fastgpu::merge<double>([](double a, double) { return a; });
  EXPECT_EQ(threads(100, by_number{}, first, fold_kind::ordered), 1u);
}

TEST(GpuSubtasks, FoldSpansSeriallyAndTheLastAsFarAsItGoes)
{
  using op = trace_merges<>;
  using S = gpu_subtasks<1, mark<8>, value_reduction<op, fingerprint<>>>;
  const auto job = make_job(space(1000, by_size{10}), mark<8>{}, reduced(op{}));
  std::vector<fingerprint<>> subtasks;
  for (std::uint64_t s = 0; s < 11; ++s) subtasks.push_back(mark_of(s));
  std::vector<fingerprint<>> spans(3);
  auto batch = batch_of(job, fold_kind::ordered);
  batch.shape.span_log2 = 2;
  batch.begin = 84;  // spans 21, 22, and three subtasks of span 23
  batch.end = 95;
  batch.scratch = subtasks.data();
  batch.span_values = spans.data();
  const S::params p{batch};
  ASSERT_EQ(S::first_span(p), 21u);
  ASSERT_EQ(S::span_count(p), 3u);
  for (const std::uint32_t number : {2u, 0u, 1u}) S::fold_span(p, number);
  const op o;
  const auto& v = subtasks;
  EXPECT_EQ(spans[0], o(o(o(v[0], v[1]), v[2]), v[3]));
  EXPECT_EQ(spans[1], o(o(o(v[4], v[5]), v[6]), v[7]));
  EXPECT_EQ(spans[2], o(o(v[8], v[9]), v[10]));
}

TEST(GpuSubtasks, PutTheirValuesStraightWhereASpanIsOne)
{
  using S = gpu_subtasks<1, mark<8>, value_reduction<trace_merges<>, fingerprint<>>>;
  const auto job = make_job(space(1000, by_size{10}), mark<8>{}, reduced(trace_merges<>{}));
  auto batch = batch_of(job, fold_kind::ordered);
  int there = 0;
  int scratch = 0;
  batch.span_values = &there;
  batch.scratch = &scratch;
  EXPECT_EQ(S::params{batch}.subtask_values, &there);
  batch.shape.span_log2 = 1;
  EXPECT_EQ(S::params{batch}.subtask_values, &scratch);
}

struct tally_by_three {
  void operator()(std::uint64_t i, fastgpu::tally<sum<double>> bins) const
  {
    bins.merge(static_cast<std::int64_t>(i % 3), rough(i));
  }
};
struct tally_of_block {
  void operator()(block<1> b, fastgpu::tally<sum<double>> bins) const
  {
    for (auto i = b.begin[0]; i < b.end[0]; ++i) bins.merge(i % 3, rough(static_cast<std::uint64_t>(i)));
  }
};

template <class Kernel>
void check_tally()
{
  using S = gpu_subtasks<1, Kernel, vector_reduction<sum<double>>, fastgpu::detail::tally_argument<sum<double>>>;
  const auto job = make_job(space(1000, by_size{10}), Kernel{}, reduced(sum<double>{}, 3));
  auto batch = batch_of(job, fold_kind::ordered);
  batch.shape.span_log2 = 2;
  batch.begin = 84;
  batch.end = 95;
  std::vector<double> spans(3 * 3, -1.0);
  std::vector<double> scratch(S::subtask_values_bytes(batch) / sizeof(double), -1.0);
  ASSERT_EQ(scratch.size(), 3u * 3);
  const fastgpu::detail::gpu_view nothing;  // the tally's place among the arguments
  batch.views = &nothing;
  batch.span_values = spans.data();
  batch.scratch = scratch.data();
  const typename S::params p{batch};
  for (const std::uint32_t number : {1u, 2u, 0u}) S::tally_span(p, number);

  const auto subtask = [](std::uint64_t s, std::uint64_t bin) {
    double total = 0;
    for (auto i = 10 * s; i < 10 * s + 10; ++i) {
      if (i % 3 == bin) total += rough(i);
    }
    return total;
  };
  for (std::uint64_t bin = 0; bin < 3; ++bin) {
    const auto v = [&](std::uint64_t s) { return subtask(s, bin); };
    EXPECT_EQ(spans[bin], ((v(84) + v(85)) + v(86)) + v(87));
    EXPECT_EQ(spans[3 + bin], ((v(88) + v(89)) + v(90)) + v(91));
    EXPECT_EQ(spans[6 + bin], (v(92) + v(93)) + v(94));
  }
}

TEST(GpuSubtasks, TallySubtasksApartAndMergeThemSerially)
{
  check_tally<tally_by_three>();
  check_tally<tally_of_block>();
}

TEST(GpuSubtasks, NeedScratchForTheValuesThatAreNoSpans)
{
  using S = gpu_subtasks<1, mark<8>, value_reduction<trace_merges<>, fingerprint<>>>;
  const auto job = make_job(space(1000, by_size{10}), mark<8>{}, reduced(trace_merges<>{}));
  auto batch = batch_of(job, fold_kind::ordered);
  EXPECT_EQ(S::subtask_values_bytes(batch), 0u);
  batch.shape.span_log2 = 3;
  EXPECT_EQ(S::subtask_values_bytes(batch), 100u * 8);
  batch.begin = 96;
  EXPECT_EQ(S::subtask_values_bytes(batch), 4u * 8);
  batch.fold = fold_kind::single;
  EXPECT_EQ(S::subtask_values_bytes(batch), 0u);
}

TEST(GpuSubtasks, AddToExactStatesInAnyOrderAndShare)
{
  struct pair {
    double sum = 0;
    float other = 0;
    std::int32_t count = 0;
  };
  using op = fastgpu::sum_of<&pair::sum, &pair::other, &pair::count>;
  using state = fastgpu::detail::exact_state<op>;
  constexpr auto limbs = sizeof(state) / sizeof(std::int64_t);
  std::vector<pair> values;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    values.push_back({rough(i), static_cast<float>(rough(i + 7777)), static_cast<std::int32_t>(i % 5)});
  }
  state expected;
  for (const auto& v : values) expected.add(v);
  expected.normalize();

  std::mt19937_64 random{1};
  for (const std::size_t blocks : {1u, 3u, 40u}) {
    std::shuffle(values.begin(), values.end(), random);
    // Each block has a state, which all its threads add to, limb by limb; it is normalised and added to the total.
    state total;
    std::vector<std::int64_t> words(limbs);
    for (std::size_t block = 0; block < blocks; ++block) {
      state shared;
      for (auto i = block; i < values.size(); i += blocks) {
        shared.add(values[i], [](std::int64_t& limb, std::int64_t by) { limb += by; });
      }
      shared.normalize();
      std::memcpy(words.data(), &shared, sizeof shared);
      auto* to = reinterpret_cast<std::int64_t*>(&total);
      for (std::size_t i = 0; i < limbs; ++i) to[i] += words[i];
    }
    total.normalize();
    EXPECT_EQ(std::memcmp(&total, &expected, sizeof total), 0) << blocks << " blocks";
  }
}

}  // namespace

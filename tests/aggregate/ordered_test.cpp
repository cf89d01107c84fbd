#include <fastgpu/aggregate/ordered.hpp>  // first: shows that the header stands alone

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/aggregate/operations.hpp>

#include "support/fingerprint.hpp"
#include "support/ordered_reference.hpp"
#include "support/splitmix.hpp"

namespace {

using fastgpu::block;
using fastgpu::index;
using fastgpu::sum;
using fastgpu::detail::fold_computed;
using fastgpu::detail::fold_recursive;
using fastgpu::detail::fold_streamed;
using support::fingerprint;
using support::mark_of;
using support::trace_merges;

constexpr auto no_notice = [](index<1>, std::int64_t) {};

double inverse(std::int64_t k) { return 1.0 / static_cast<double>(1 + k); }

TEST(Ordered1, HasTheBitsThatItHadWhenItsVersionWasGiven)
{
  // By an implementation of its definition in another language.
  const sum<double> op;
  const auto of = [](index<1> at) { return inverse(at[0]); };
  EXPECT_EQ(fold_computed<double>(op, 1, inverse), 1.0);
  EXPECT_EQ(fold_computed<double>(op, 5, inverse), 0x1.2444444444444p+1);
  EXPECT_EQ(fold_computed<double>(op, 1000, inverse), 0x1.df11f45f4e619p+2);  // one after the other: ...618
  EXPECT_EQ(fold_computed<double>(op, 100'000, inverse), 0x1.82e27a22f3fb0p+3);
  EXPECT_EQ((fold_streamed<double, 1>(op, {{{0}}, {{100'000}}, 0}, of, no_notice)), 0x1.82e27a22f3fb0p+3);
  EXPECT_EQ(fold_recursive<double>(op, 100'000, inverse), 0x1.82e27a22f3fb0p+3);
  EXPECT_STREQ(fastgpu::detail::ordered_shape_name, "ordered/1");
}

TEST(Ordered1, MergesLanesAHalfApart)
{
  const trace_merges<> op;
  const auto element = [](std::int64_t k) { return mark_of(static_cast<std::uint64_t>(k)); };
  const auto e = [&](std::int64_t k) { return element(k); };
  EXPECT_EQ(fold_computed<fingerprint<>>(op, 1, element), e(0));
  EXPECT_EQ(fold_computed<fingerprint<>>(op, 2, element), op(e(0), e(1)));
  EXPECT_EQ(fold_computed<fingerprint<>>(op, 3, element), op(op(e(0), e(2)), e(1)));
  EXPECT_EQ(fold_computed<fingerprint<>>(op, 5, element), op(op(op(e(0), e(4)), e(2)), op(e(1), e(3))));
}

TEST(Ordered1, PutsElement256OnLane0)
{
  const trace_merges<> op;
  const auto plain = [](std::int64_t k) { return mark_of(static_cast<std::uint64_t>(k)); };
  // Lane 0 with two elements is lane 0 with one that is their merge.
  const auto merged = [&](std::int64_t k) { return k == 0 ? op(plain(0), plain(256)) : plain(k); };
  EXPECT_EQ(fold_computed<fingerprint<>>(op, 257, plain), fold_computed<fingerprint<>>(op, 256, merged));
}

/// The block's elements in row-major order, by number.
template <int N>
std::vector<fingerprint<>> elements_of(const block<N>& b)
{
  std::vector<fingerprint<>> all;
  for (std::int64_t k = 0; k < b.count(); ++k) all.push_back(mark_of(static_cast<std::uint64_t>(k)));
  return all;
}

/// Number of `at` in the block, row-major.
template <int N>
std::uint64_t number_in(const block<N>& b, index<N> at)
{
  std::int64_t k = 0;
  for (int d = 0; d < N; ++d) k = k * b.size(d) + (at[d] - b.begin[d]);
  return static_cast<std::uint64_t>(k);
}

template <int N>
void check_streamed(const block<N>& b)
{
  const trace_merges<> op;
  const auto expected = reference::merge_subtask(op, elements_of(b), true);
  const auto element = [&](index<N> at) { return mark_of(number_in(b, at)); };
  // Every element is announced once, in order.
  std::vector<std::uint64_t> told;
  const auto notice = [&](index<N> at, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) told.push_back(number_in(b, at) + static_cast<std::uint64_t>(j));
  };
  std::vector<std::uint64_t> all_numbers(static_cast<std::size_t>(b.count()));
  std::iota(all_numbers.begin(), all_numbers.end(), std::uint64_t{0});
  ASSERT_EQ((fold_streamed<fingerprint<>, N>(op, b, element, notice)), expected);
  EXPECT_EQ(told, all_numbers);
}

void check_all(std::int64_t n)
{
  SCOPED_TRACE(std::to_string(n) + " elements");
  const trace_merges<> op;
  const auto element = [](std::int64_t k) { return mark_of(static_cast<std::uint64_t>(k)); };
  const auto expected = reference::merge_subtask(op, elements_of<1>({{{0}}, {{n}}, 0}), true);
  ASSERT_EQ(fold_computed<fingerprint<>>(op, n, element), expected);
  ASSERT_EQ(fold_recursive<fingerprint<>>(op, n, element), expected);
  ASSERT_NO_FATAL_FAILURE(check_streamed<1>({{{-5}}, {{n - 5}}, 0}));
}

TEST(Ordered1, IsOneShapeInAllWaysToComputeIt)
{
  for (std::int64_t n = 1; n < 1000; ++n) ASSERT_NO_FATAL_FAILURE(check_all(n));
  for (const std::int64_t n : {4095, 4096, 4097, 65535, 65536, 65537, 300'001}) ASSERT_NO_FATAL_FAILURE(check_all(n));
}

TEST(Ordered1, GoesRowMajorThroughTiles)
{
  for (std::int64_t rows = 1; rows <= 20; ++rows) {
    for (std::int64_t columns = 1; columns <= 40; ++columns) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
      ASSERT_NO_FATAL_FAILURE(check_streamed<2>({{{7, 100}}, {{7 + rows, 100 + columns}}, 0}));
    }
  }
  ASSERT_NO_FATAL_FAILURE(check_streamed<2>({{{0, 0}}, {{1, 1000}}, 0}));
  ASSERT_NO_FATAL_FAILURE(check_streamed<2>({{{0, 0}}, {{1000, 1}}, 0}));
  ASSERT_NO_FATAL_FAILURE(check_streamed<2>({{{3, 3}}, {{260, 516}}, 0}));
}

TEST(Ordered1, GoesRowMajorThroughBoxes)
{
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random{seed};
    block<3> b;
    for (int d = 0; d < 3; ++d) {
      b.begin[d] = static_cast<std::int64_t>(random() % 1000);
      b.end[d] = b.begin[d] + 1 + static_cast<std::int64_t>(random() % 14);
    }
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(check_streamed<3>(b));
  }
  ASSERT_NO_FATAL_FAILURE(check_streamed<3>({{{0, 0, 0}}, {{3, 50, 257}}, 0}));
}

TEST(Ordered1, GivesTheSameBitsForFloatingPointNumbersOfAllSizes)
{
  const auto rough = [](std::int64_t k) {
    const auto bits = support::splitmix64(static_cast<std::uint64_t>(k));
    return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits)), static_cast<int>(bits % 100) - 110);
  };
  for (const std::int64_t n : {1, 2, 31, 32, 33, 255, 256, 257, 511, 512, 513, 777, 5000, 65536}) {
    std::vector<double> doubles;
    std::vector<float> floats;
    for (std::int64_t k = 0; k < n; ++k) {
      doubles.push_back(rough(k));
      floats.push_back(static_cast<float>(rough(k)));
    }
    const auto at = [&](const auto& values) {
      return [&values](std::int64_t k) { return values[static_cast<std::size_t>(k)]; };
    };
    const auto expected = reference::merge_subtask(sum<double>{}, doubles, true);
    ASSERT_EQ(fold_computed<double>(sum<double>{}, n, at(doubles)), expected) << n;
    ASSERT_EQ(fold_recursive<double>(sum<double>{}, n, at(doubles)), expected) << n;
    const auto expected_float = reference::merge_subtask(sum<float>{}, floats, true);
    ASSERT_EQ(fold_computed<float>(sum<float>{}, n, at(floats)), expected_float) << n;
    ASSERT_EQ(fold_recursive<float>(sum<float>{}, n, at(floats)), expected_float) << n;
  }
}

TEST(Ordered1, SkipsAbsentLanesInsteadOfAddingZero)
{
  const auto minus_zero = [](std::int64_t) { return -0.0; };
  for (const std::int64_t n : {1, 2, 3, 100, 255, 257}) {
    EXPECT_TRUE(std::signbit(fold_computed<double>(sum<double>{}, n, minus_zero))) << n;
    EXPECT_TRUE(std::signbit(fold_recursive<double>(sum<double>{}, n, minus_zero))) << n;
    EXPECT_TRUE(std::signbit(
        fold_streamed<double, 1>(sum<double>{}, {{{0}}, {{n}}, 0}, [](index<1>) { return -0.0; }, no_notice)))
        << n;
  }
}

TEST(Ordered1, AsksForEachElementOnce)
{
  for (const std::int64_t n : {1, 100, 256, 300, 1024}) {
    std::vector<int> asked(static_cast<std::size_t>(n), 0);
    const auto element = [&](std::int64_t k) {
      ++asked[static_cast<std::size_t>(k)];
      return 1;
    };
    EXPECT_EQ(fold_computed<int>(sum<int>{}, n, element), n);
    EXPECT_EQ(fold_recursive<int>(sum<int>{}, n, element), n);
    const auto at_index = [&](index<1> at) { return element(at[0]); };
    EXPECT_EQ((fold_streamed<int, 1>(sum<int>{}, {{{0}}, {{n}}, 0}, at_index, no_notice)), n);
    EXPECT_EQ(asked, std::vector<int>(asked.size(), 3));
  }
}

}  // namespace

#include <fastgpu/aggregate/operations.hpp>  // first: shows that the header stands alone

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/detail/value_table.hpp>

#include "support/concatenation.hpp"

namespace {

using fastgpu::arg_maximum;
using fastgpu::arg_minimum;
using fastgpu::bit_and;
using fastgpu::bit_or;
using fastgpu::bit_xor;
using fastgpu::located;
using fastgpu::maximum;
using fastgpu::minimum;
using fastgpu::product;
using fastgpu::sum;
using fastgpu::sum_of;
using support::concatenation;

template <class T>
using limits = std::numeric_limits<T>;

constexpr double nan_1 = std::bit_cast<double>(0x7ff8000000000001u);
constexpr double nan_2 = std::bit_cast<double>(0xfff800000000beefu);

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

TEST(Sum, AddsFromItsIdentity)
{
  EXPECT_EQ(sum<int>{}(2, 3), 5);
  EXPECT_EQ(sum<int>{}(sum<int>::identity(), 3), 3);
  EXPECT_EQ(sum<double>{}(0.5, 0.25), 0.75);
  EXPECT_EQ(sum<double>::identity(), 0);
}

TEST(Sum, WrapsAround)
{
  EXPECT_EQ(sum<std::int32_t>{}(limits<std::int32_t>::max(), 1), limits<std::int32_t>::min());
  EXPECT_EQ(sum<std::int64_t>{}(limits<std::int64_t>::min(), -1), limits<std::int64_t>::max());
  EXPECT_EQ(sum<std::int8_t>{}(127, 1), -128);
  EXPECT_EQ(sum<std::int16_t>{}(-32768, -32768), 0);
  EXPECT_EQ(sum<std::uint8_t>{}(255, 2), 1);
  EXPECT_EQ(sum<std::uint64_t>{}(limits<std::uint64_t>::max(), 1), 0u);
}

TEST(Sum, IsFreeOfOrderForIntegersAlone)
{
  static_assert(sum<int>::order_free && sum<std::uint64_t>::order_free);
  static_assert(!sum<double>::order_free && !sum<float>::order_free);
  static_assert(sum<double>::commutative);
}

TEST(Product, MultipliesFromItsIdentity)
{
  EXPECT_EQ(product<int>{}(product<int>::identity(), 7), 7);
  EXPECT_EQ(product<int>{}(-3, 7), -21);
  EXPECT_EQ(product<double>{}(1.5, product<double>::identity()), 1.5);
}

TEST(Product, WrapsAround)
{
  EXPECT_EQ(product<std::int32_t>{}(65536, 65536), 0);
  EXPECT_EQ(product<std::int32_t>{}(46341, 46341), -2147479015);
  EXPECT_EQ(product<std::int64_t>{}(limits<std::int64_t>::min(), -1), limits<std::int64_t>::min());
  EXPECT_EQ(product<std::int8_t>{}(-128, -1), -128);
  EXPECT_EQ(product<std::uint16_t>{}(65535, 65535), 1);
  EXPECT_EQ(product<std::uint32_t>{}(0x10001, 0x10001), 0x20001u);
}

TEST(BitOperations, HaveTheirIdentities)
{
  for (const std::uint8_t v : std::array<std::uint8_t, 3>{0x00, 0x5a, 0xff}) {
    EXPECT_EQ(bit_or<std::uint8_t>{}(bit_or<std::uint8_t>::identity(), v), v);
    EXPECT_EQ(bit_and<std::uint8_t>{}(v, bit_and<std::uint8_t>::identity()), v);
    EXPECT_EQ(bit_xor<std::uint8_t>{}(v, bit_xor<std::uint8_t>::identity()), v);
  }
  EXPECT_EQ(bit_or<int>{}(0b0101, 0b0110), 0b0111);
  EXPECT_EQ(bit_and<int>{}(0b0101, 0b0110), 0b0100);
  EXPECT_EQ(bit_xor<int>{}(0b0101, 0b0110), 0b0011);
  EXPECT_EQ(bit_and<std::uint64_t>::identity(), limits<std::uint64_t>::max());
}

TEST(Minimum, IsTheSmallest)
{
  EXPECT_EQ(minimum<int>{}(3, -4), -4);
  EXPECT_EQ(minimum<double>{}(-HUGE_VAL, 1.0), -HUGE_VAL);
  EXPECT_EQ(minimum<std::uint64_t>{}(0, limits<std::uint64_t>::max()), 0u);
}

TEST(Minimum, PutsMinusZeroBelowPlusZero)
{
  EXPECT_EQ(bits(minimum<double>{}(-0.0, 0.0)), bits(-0.0));
  EXPECT_EQ(bits(minimum<double>{}(0.0, -0.0)), bits(-0.0));
  EXPECT_TRUE(std::signbit(minimum<float>{}(0.0f, -0.0f)));
}

TEST(Minimum, PassesNaNsOver)
{
  EXPECT_EQ(minimum<double>{}(nan_1, 3.0), 3.0);
  EXPECT_EQ(minimum<double>{}(3.0, nan_2), 3.0);
  EXPECT_EQ(minimum<double>{}(nan_1, HUGE_VAL), HUGE_VAL);
}

TEST(Minimum, OfNaNsIsOneNaNForAll)
{
  const auto expected = bits(limits<double>::quiet_NaN());
  EXPECT_EQ(bits(minimum<double>{}(nan_1, nan_2)), expected);
  EXPECT_EQ(bits(minimum<double>{}(nan_2, nan_1)), expected);
}

TEST(Maximum, IsTheLargest)
{
  EXPECT_EQ(maximum<int>{}(3, -4), 3);
  EXPECT_EQ(maximum<double>{}(-HUGE_VAL, 1.0), 1.0);
}

TEST(Maximum, PutsPlusZeroAboveMinusZero)
{
  EXPECT_EQ(bits(maximum<double>{}(-0.0, 0.0)), bits(0.0));
  EXPECT_EQ(bits(maximum<double>{}(0.0, -0.0)), bits(0.0));
}

TEST(Maximum, PassesNaNsOver)
{
  EXPECT_EQ(maximum<double>{}(nan_1, 3.0), 3.0);
  EXPECT_EQ(maximum<double>{}(-HUGE_VAL, nan_2), -HUGE_VAL);
  const auto expected = bits(limits<double>::quiet_NaN());
  EXPECT_EQ(bits(maximum<double>{}(nan_1, nan_2)), expected);
  EXPECT_EQ(bits(maximum<double>{}(nan_2, nan_1)), expected);
}

TEST(ArgMinimum, GivesTheLowestIndexOfTheSmallest)
{
  const arg_minimum<int> op;
  EXPECT_EQ(op({5, 1}, {3, 9}), (located<int>{3, 9}));
  EXPECT_EQ(op({3, 9}, {3, 2}), (located<int>{3, 2}));
  EXPECT_EQ(op({3, 2}, {3, 9}), (located<int>{3, 2}));
}

TEST(ArgMinimum, TellsTheZerosApartAndPassesNaNsOver)
{
  const arg_minimum<double> op;
  EXPECT_EQ(op({0.0, 1}, {-0.0, 2}).index, 2u);
  EXPECT_EQ(op({-0.0, 2}, {0.0, 1}).index, 2u);
  EXPECT_EQ(op({nan_1, 1}, {HUGE_VAL, 2}).index, 2u);
  EXPECT_EQ(op({HUGE_VAL, 2}, {nan_1, 1}).index, 2u);
  EXPECT_EQ(op({nan_1, 4}, {nan_2, 3}).index, 3u);
  EXPECT_EQ(op({nan_2, 3}, {nan_1, 4}).index, 3u);
}

TEST(ArgMaximum, GivesTheLowestIndexOfTheLargest)
{
  const arg_maximum<int> op;
  EXPECT_EQ(op({5, 1}, {7, 9}), (located<int>{7, 9}));
  EXPECT_EQ(op({7, 9}, {7, 2}), (located<int>{7, 2}));
  EXPECT_EQ(op({7, 2}, {7, 9}), (located<int>{7, 2}));
}

TEST(ArgMaximum, TellsTheZerosApartAndPassesNaNsOver)
{
  const arg_maximum<double> op;
  EXPECT_EQ(op({0.0, 1}, {-0.0, 0}).index, 1u);
  EXPECT_EQ(op({-0.0, 0}, {0.0, 1}).index, 1u);
  EXPECT_EQ(op({nan_1, 1}, {-HUGE_VAL, 2}).index, 2u);
  EXPECT_EQ(op({-HUGE_VAL, 2}, {nan_1, 1}).index, 2u);
  EXPECT_EQ(op({nan_1, 4}, {nan_2, 3}).index, 3u);
}

/// Every operation that says so gives the same bits in any order and grouping, over numbers made to break that.
template <class Op, class Same>
void check_order_free(const std::vector<typename Op::value_type>& values, const Same& same)
{
  const Op op;
  for (const auto& a : values) {
    for (const auto& b : values) {
      ASSERT_TRUE(same(op(a, b), op(b, a)));
      for (const auto& c : values) ASSERT_TRUE(same(op(op(a, b), c), op(a, op(b, c))));
    }
  }
}

TEST(Operations, ThatAreFreeOfOrderGiveTheSameBitsInAnyGrouping)
{
  const std::vector<double> doubles{0.0, -0.0, 1, -1, nan_1, nan_2, HUGE_VAL, -HUGE_VAL, limits<double>::denorm_min()};
  const auto same_bits = [](double a, double b) { return bits(a) == bits(b); };
  check_order_free<minimum<double>>(doubles, same_bits);
  check_order_free<maximum<double>>(doubles, same_bits);

  std::vector<located<double>> places;
  for (std::size_t i = 0; i < doubles.size(); ++i) {
    places.push_back({doubles[i], i});
    places.push_back({doubles[i], 100 - i});
  }
  const auto same_place = [](const auto& a, const auto& b) {
    return bits(a.value) == bits(b.value) && a.index == b.index;
  };
  check_order_free<arg_minimum<double>>(places, same_place);
  check_order_free<arg_maximum<double>>(places, same_place);

  const std::vector<std::int32_t> integers{
      0, 1, -1, 2, 65536, limits<std::int32_t>::max(), limits<std::int32_t>::min()};
  const auto equal = [](auto a, auto b) { return a == b; };
  check_order_free<sum<std::int32_t>>(integers, equal);
  check_order_free<product<std::int32_t>>(integers, equal);
  check_order_free<minimum<std::int32_t>>(integers, equal);
  check_order_free<maximum<std::int32_t>>(integers, equal);
  check_order_free<bit_or<std::int32_t>>(integers, equal);
  check_order_free<bit_and<std::int32_t>>(integers, equal);
  check_order_free<bit_xor<std::int32_t>>(integers, equal);
}

// Structs ---------------------------------------------------------------------------------------------------------

struct tally {
  double x = 0;
  std::int32_t kept = 0;
  std::uint64_t counts[3] = {};
  std::array<float, 2> moments = {};
  int label = 0;
  friend bool operator==(const tally&, const tally&) = default;
};

TEST(SumOf, AddsNumbersAndArraysFieldByField)
{
  const sum_of<&tally::x, &tally::kept, &tally::counts, &tally::moments> op;
  const tally left{1.5, 2, {10, 20, 30}, {0.5f, 0.25f}, 7};
  const tally right{2.0, 5, {1, 2, 3}, {1.0f, 2.0f}, 9};
  EXPECT_EQ(op(left, right), (tally{3.5, 7, {11, 22, 33}, {1.5f, 2.25f}, 0}));
}

TEST(SumOf, ValueInitialisesFieldsThatAreNotNamed)
{
  const sum_of<&tally::kept> op;
  EXPECT_EQ(op(tally{1.5, 2, {1, 2, 3}, {4, 5}, 7}, tally{8, 8, {8, 8, 8}, {8, 8}, 8}),
            (tally{0, 10, {0, 0, 0}, {0, 0}, 0}));
}

TEST(SumOf, WrapsIntegersAround)
{
  const sum_of<&tally::kept, &tally::counts> op;
  const auto total = op(tally{0, limits<std::int32_t>::max(), {limits<std::uint64_t>::max(), 0, 0}, {}, 0},
                        tally{0, 1, {2, 0, 0}, {}, 0});
  EXPECT_EQ(total.kept, limits<std::int32_t>::min());
  EXPECT_EQ(total.counts[0], 1u);
}

TEST(SumOf, StartsFromItsIdentity)
{
  using op = sum_of<&tally::x, &tally::kept, &tally::counts, &tally::moments>;
  const tally some{1.5, 2, {10, 20, 30}, {0.5f, 0.25f}, 0};
  EXPECT_EQ(op{}(op::identity(), some), some);
}

TEST(SumOf, IsFreeOfOrderWhereAllFieldsAreIntegers)
{
  static_assert(sum_of<&tally::kept>::order_free);
  static_assert(sum_of<&tally::kept, &tally::counts>::order_free);
  static_assert(!sum_of<&tally::kept, &tally::x>::order_free);
  static_assert(!sum_of<&tally::moments>::order_free);
}

// Tables ----------------------------------------------------------------------------------------------------------

TEST(ValueTable, TakesAnOperationForNeitherCommutativeNorFreeUnlessItSaysSo)
{
  const auto& table = fastgpu::detail::value_table_of<concatenation, int>;
  EXPECT_FALSE(table.commutative);
  EXPECT_FALSE(table.order_free);
  EXPECT_EQ(table.identity, nullptr);
  EXPECT_EQ(table.exact_bytes, 0u);
  EXPECT_EQ(table.bytes, sizeof(int));
  EXPECT_STREQ(table.name, "a custom operation");
}

TEST(ValueTable, MergesVectorsElementByElement)
{
  const auto& table = fastgpu::detail::value_table_of<concatenation, int>;
  const concatenation op;
  std::array<int, 3> left{1, 2, 3};
  std::array<int, 3> right{4, 5, 6};
  table.merge(&op, left.data(), right.data(), 3);
  EXPECT_EQ(left, (std::array{14, 25, 36}));
  EXPECT_EQ(right, (std::array{4, 5, 6}));
}

TEST(ValueTable, FillsWithTheIdentity)
{
  const auto& table = fastgpu::detail::value_table_of<product<float>, float>;
  std::array<float, 3> values{7, 8, 9};
  ASSERT_NE(table.identity, nullptr);
  table.identity(values.data(), 2);
  EXPECT_EQ(values, (std::array{1.0f, 1.0f, 9.0f}));
  EXPECT_STREQ(table.name, "product");
  EXPECT_EQ((fastgpu::detail::value_table_of<minimum<double>, double>.identity), nullptr);
}

TEST(ValueTable, SumsExactlyWhereTheOperationCan)
{
  const auto& table = fastgpu::detail::value_table_of<sum<double>, double>;
  ASSERT_GT(table.exact_bytes, 0u);
  alignas(64) std::byte state[1024];
  alignas(64) std::byte other[1024];
  ASSERT_LE(table.exact_bytes, sizeof state);
  table.exact_clear(state);
  table.exact_clear(other);
  double value = 1;
  table.exact_value(state, &value);
  EXPECT_EQ(value, 0.0);
  static_cast<fastgpu::detail::exact_state<sum<double>>*>(static_cast<void*>(state))->add(1e100);
  static_cast<fastgpu::detail::exact_state<sum<double>>*>(static_cast<void*>(other))->add(1.0);
  table.exact_merge(state, other);
  table.exact_clear(other);
  static_cast<fastgpu::detail::exact_state<sum<double>>*>(static_cast<void*>(other))->add(-1e100);
  table.exact_merge(state, other);
  table.exact_value(state, &value);
  EXPECT_EQ(value, 1.0);
  EXPECT_EQ((fastgpu::detail::value_table_of<sum<int>, int>.exact_bytes), 0u);
}

}  // namespace

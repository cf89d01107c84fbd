#include <fastgpu/aggregate/superaccumulator.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ios>
#include <limits>
#include <random>
#include <span>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "support/exact_reference.hpp"
#include "support/floats.hpp"

namespace {

using fastgpu::superaccumulator;
using support::bit_counts;
using support::bits_of;
using support::for_float_and_double;
using support::numbers_of_any_size;
using support::same;

template <class Float>
using limits = std::numeric_limits<Float>;

/// The limbs after carries: equal where the sums are, down to the last bit.
template <class Float>
std::vector<std::int64_t> exact(superaccumulator<Float> sum)
{
  sum.normalize();
  return {sum.data(), sum.data() + sum.limb_count};
}

template <class Float>
superaccumulator<Float> accumulate(std::span<const Float> values)
{
  superaccumulator<Float> sum;
  for (const auto value : values) sum.add(value);
  return sum;
}

template <class Float>
superaccumulator<Float> accumulate_at_once(std::span<const Float> values)
{
  superaccumulator<Float> sum;
  sum.add(values.data(), values.size());
  return sum;
}

/// Sums in both ways, which must agree.
template <class Float>
Float sum(const std::vector<Float>& values)
{
  const auto one_by_one = accumulate<Float>(values);
  EXPECT_EQ(exact(accumulate_at_once<Float>(values)), exact(one_by_one));
  return one_by_one.value();
}

}  // namespace

TEST(Superaccumulator, IsNothingButItsLimbs)
{
  static_assert(superaccumulator<float>::limb_count == 10 + 3);
  static_assert(superaccumulator<double>::limb_count == 67 + 3);
  static_assert(sizeof(superaccumulator<double>) == superaccumulator<double>::limb_count * sizeof(std::int64_t));
  static_assert(std::is_trivially_copyable_v<superaccumulator<float>>);
  static_assert(std::is_trivially_copyable_v<superaccumulator<double>>);
}

TEST(Superaccumulator, SumsWhileTheProgramIsCompiled)
{
  constexpr auto total = [] {
    constexpr double values[] = {1e300, 1.0, -1e300, 0x1p-1074};
    superaccumulator<double> sum;
    sum.add(values, 4);
    sum.add(0.5);
    return sum.value();
  }();
  static_assert(total == 1.5);
}

TEST(Superaccumulator, IsPlusZeroWhileEmpty)
{
  for_float_and_double([]<class Float>(Float) {
    EXPECT_TRUE(same(superaccumulator<Float>{}.value(), Float{0}));
    superaccumulator<Float> sum;
    sum.add(nullptr, 0);
    EXPECT_TRUE(same(sum.value(), Float{0}));
  });
}

TEST(Superaccumulator, GivesEveryNumberBack)
{
  for_float_and_double([]<class Float>(Float) {
    for (const auto number : numbers_of_any_size<Float>(100'000, 1)) {
      superaccumulator<Float> sum;
      sum.add(number);
      ASSERT_TRUE(same(sum.value(), number + Float{0}));  // + 0: of -0 comes +0
    }
  });
}

TEST(Superaccumulator, GivesTheKnownSums)
{
  EXPECT_TRUE(same(sum<double>({0.1, 0.2, 0.3}), 0x1.3333333333333p-1));
  EXPECT_TRUE(same(sum<double>(std::vector<double>(10, 0.1)), 1.0));
  EXPECT_TRUE(same(sum<double>(std::vector<double>(1'000'000, 0.1)), 100'000.0));

  // What fsum() of Python 3 says of the same summands.
  std::vector<double> harmonic;
  std::vector<double> alternating;
  for (int n = 1; n <= 1000; ++n) {
    harmonic.push_back(1.0 / n);
    alternating.push_back((n % 2 == 0 ? 1.0 : -1.0) / n);
  }
  EXPECT_TRUE(same(sum(harmonic), 0x1.df11f45f4e61ap+2));
  EXPECT_TRUE(same(sum(alternating), -0x1.62a2af1bd3624p-1));

  std::vector<double> scattered;
  for (std::int64_t i = 1; i <= 20'000; ++i) {
    const auto significand = static_cast<double>((i * 2654435761) % 4294967296 - 2147483648);
    scattered.push_back(std::ldexp(significand, static_cast<int>((i * 40503) % 1800) - 900));
  }
  EXPECT_TRUE(same(sum(scattered), -0x1.9402f19407005p+926));

  std::vector<double> bands{-0x1p1022};
  for (int n = -1074; n < 972; n += 2) bands.push_back(std::ldexp(0x1p52 - 0x1p50 + 1.0, n));
  EXPECT_TRUE(same(sum(bands), 0x1.5555555555555p+970));
}

TEST(Superaccumulator, KeepsWhatSurvivesCancellation)
{
  EXPECT_TRUE(same(sum<double>({1e100, 1.0, -1e100}), 1.0));
  EXPECT_TRUE(same(sum<double>({1e308, 0x1p-1074, -1e308}), 0x1p-1074));
  EXPECT_TRUE(same(sum<double>({1.0, 1e16, -1e16, 1e-16, -1.0}), 1e-16));
  EXPECT_TRUE(same(sum<float>({1e30f, 1.0f, -1e30f}), 1.0f));
  EXPECT_TRUE(same(sum<float>({3e38f, 0x1p-149f, -3e38f}), 0x1p-149f));

  for_float_and_double([]<class Float>(Float) {
    auto values = numbers_of_any_size<Float>(10'000, 2);
    for (std::size_t i = 0; i < 10'000; ++i) values.push_back(-values[i]);
    values.push_back(limits<Float>::denorm_min());
    std::shuffle(values.begin(), values.end(), std::mt19937_64{2});
    EXPECT_TRUE(same(sum(values), limits<Float>::denorm_min()));
    values.push_back(-limits<Float>::denorm_min());
    EXPECT_TRUE(same(sum(values), Float{0}));
  });
}

TEST(Superaccumulator, RoundsTiesToEvenAtEveryExponent)
{
  for_float_and_double([]<class Float>(Float) {
    constexpr auto least = limits<Float>::denorm_min();
    // From the first binade whose numbers are further apart than `least`.
    for (int e = limits<Float>::min_exponent; e < limits<Float>::max_exponent; ++e) {
      const auto even = std::ldexp(Float{1}, e);
      const auto odd = std::nextafter(even, limits<Float>::infinity());
      const auto half = std::ldexp(Float{1}, e - limits<Float>::digits);
      for (const auto sign : {Float{1}, Float{-1}}) {
        ASSERT_TRUE(same(sum<Float>({sign * even, sign * half}), sign * even));
        ASSERT_TRUE(same(sum<Float>({sign * odd, sign * half}), sign * (odd + 2 * half)));
        ASSERT_TRUE(same(sum<Float>({sign * odd, sign * -half}), sign * even));
        // Next to the tie, by as little as there is; half itself may be that little.
        ASSERT_TRUE(same(sum<Float>({sign * even, sign * half, sign * least}), sign * odd));
        ASSERT_TRUE(same(sum<Float>({sign * odd, sign * half, sign * -least}), sign * odd));
        // Just below the power of two, the numbers lie twice as close.
        if (half == least) continue;
        ASSERT_TRUE(same(sum<Float>({sign * even, sign * -half / 2}), sign * even));
        ASSERT_TRUE(same(sum<Float>({sign * even, sign * -half / 2, sign * -least}), sign * (even - half)));
      }
    }
  });
}

TEST(Superaccumulator, RoundsUpIntoTheNextPowerOfTwo)
{
  for_float_and_double([]<class Float>(Float) {
    for (int e = limits<Float>::min_exponent + 1; e < limits<Float>::max_exponent; ++e) {
      const auto power = std::ldexp(Float{1}, e);
      const auto below = std::nextafter(power, Float{0});  // all ones
      const auto half = std::ldexp(Float{1}, e - 1 - limits<Float>::digits);
      ASSERT_TRUE(same(sum<Float>({below, half}), power));
      ASSERT_TRUE(same(sum<Float>({below, half, -limits<Float>::denorm_min()}), below));
      ASSERT_TRUE(same(sum<Float>({-below, -half}), -power));
    }
  });
}

TEST(Superaccumulator, GivesSubnormalSumsExactly)
{
  for_float_and_double([]<class Float>(Float) {
    constexpr auto least = limits<Float>::denorm_min();
    constexpr auto normal = limits<Float>::min();
    EXPECT_TRUE(same(sum<Float>({least, least, least}), 3 * least));
    EXPECT_TRUE(same(sum<Float>({normal, -least}), normal - least));
    EXPECT_TRUE(same(sum<Float>({normal - least, least}), normal));
    EXPECT_TRUE(same(sum<Float>({-normal, -normal, normal, least}), least - normal));
    EXPECT_TRUE(same(sum<Float>({2 * normal, -normal, -least}), normal - least));
    EXPECT_TRUE(same(sum<Float>({normal - least, normal - least}), 2 * (normal - least)));
  });
}

TEST(Superaccumulator, ComesBackFromBeyondTheRange)
{
  for_float_and_double([]<class Float>(Float) {
    constexpr auto most = limits<Float>::max();
    std::vector<Float> values(1000, most);
    EXPECT_TRUE(same(sum(values), limits<Float>::infinity()));
    values.insert(values.end(), 1000, -most);
    EXPECT_TRUE(same(sum(values), Float{0}));
    values.insert(values.end(), 1000, -most);
    EXPECT_TRUE(same(sum(values), -limits<Float>::infinity()));
    values.insert(values.end(), 999, most);
    EXPECT_TRUE(same(sum(values), -most));
    values.push_back(1);
    EXPECT_TRUE(same(sum(values), -most));
  });
}

TEST(Superaccumulator, IsInfiniteJustWhereTheExactSumRoundsToThat)
{
  for_float_and_double([]<class Float>(Float) {
    constexpr auto most = limits<Float>::max();
    constexpr auto least = limits<Float>::denorm_min();
    const auto half = std::ldexp(Float{1}, limits<Float>::max_exponent - limits<Float>::digits - 1);
    for (const auto sign : {Float{1}, Float{-1}}) {
      EXPECT_TRUE(same(sum<Float>({sign * most, sign * half, sign * -least}), sign * most));
      EXPECT_TRUE(same(sum<Float>({sign * most, sign * half}), sign * limits<Float>::infinity()));
      EXPECT_TRUE(same(sum<Float>({sign * most, sign * half, sign * least}), sign * limits<Float>::infinity()));
      EXPECT_TRUE(same(sum<Float>({sign * most, sign * most}), sign * limits<Float>::infinity()));
      EXPECT_TRUE(
          same(sum<Float>({sign * most, sign * half, sign * half, sign * -half}), sign * limits<Float>::infinity()));
    }
  });
}

TEST(Superaccumulator, LetsInfinitiesAndNaNsWin)
{
  for_float_and_double([]<class Float>(Float) {
    constexpr auto inf = limits<Float>::infinity();
    constexpr auto nan = limits<Float>::quiet_NaN();
    constexpr auto most = limits<Float>::max();
    EXPECT_TRUE(same(sum<Float>({1, inf, -most, -most}), inf));
    EXPECT_TRUE(same(sum<Float>({1, -inf, most, most, -inf}), -inf));
    EXPECT_TRUE(same(sum<Float>({inf, -inf}), nan));
    EXPECT_TRUE(same(sum<Float>({1, nan, 2}), nan));
    EXPECT_TRUE(same(sum<Float>({-nan, inf}), nan));
    EXPECT_TRUE(same(sum<Float>({limits<Float>::signaling_NaN()}), nan));

    // The same bits whichever NaN it was.
    using bits = bits_of<Float>;
    EXPECT_EQ(std::bit_cast<bits>(sum<Float>({-nan})), std::bit_cast<bits>(sum<Float>({inf, -inf})));
  });
}

TEST(Superaccumulator, HasNoNegativeZero)
{
  for_float_and_double([]<class Float>(Float) {
    EXPECT_TRUE(same(sum<Float>({-Float{0}}), Float{0}));
    EXPECT_TRUE(same(sum<Float>({-Float{0}, -Float{0}, Float{0}}), Float{0}));
    EXPECT_TRUE(same(sum<Float>({-Float{0}, -1}), Float{-1}));
    EXPECT_TRUE(same(sum<Float>({-1, 1}), Float{0}));
  });
}

TEST(Superaccumulator, AddsTwoNumbersAsTheProcessorDoes)
{
  for_float_and_double([]<class Float>(Float) {
    std::mt19937_64 random{3};
    for (const auto a : numbers_of_any_size<Float>(200'000, 3)) {
      // Mostly near in size, where there is something to round.
      int exponent = 0;
      std::frexp(a, &exponent);
      const auto significand = static_cast<Float>(static_cast<std::int64_t>(random()));
      const auto b = std::ldexp(significand, exponent - 64 + static_cast<int>(random() % 121) - 60);
      superaccumulator<Float> both;
      both.add(a);
      both.add(b);
      ASSERT_TRUE(same(both.value(), a + b + Float{0})) << std::hexfloat << a << " + " << b;
    }
  });
}

TEST(Superaccumulator, AgreesWithCountingTheBits)
{
  for_float_and_double([]<class Float>(Float) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      std::mt19937_64 random{seed};
      auto values = numbers_of_any_size<Float>(1 + random() % 40, seed);
      // The opposites of some, off by one in the last bit, so that little remains.
      for (auto i = std::min<std::size_t>(values.size(), seed % 41); i > 0; --i) {
        values.push_back(-std::nextafter(values[i - 1], static_cast<Float>(static_cast<std::int64_t>(random()))));
      }
      bit_counts<Float> expected;
      for (const auto value : values) expected.add(value);
      ASSERT_TRUE(same(sum(values), expected.value())) << "seed " << seed;
    }
  });
}

TEST(Superaccumulator, IsIndifferentToOrderAndPartition)
{
  for_float_and_double([]<class Float>(Float) {
    auto values = numbers_of_any_size<Float>(std::size_t{1} << 20, 4);
    bit_counts<Float> counts;
    for (const auto value : values) counts.add(value);
    const auto expected = counts.value();
    const auto expected_limbs = exact(accumulate<Float>(values));

    std::mt19937_64 random{4};
    for (const std::size_t parts : {1u, 2u, 3u, 7u, 64u}) {
      SCOPED_TRACE(parts);
      std::shuffle(values.begin(), values.end(), random);
      superaccumulator<Float> total;
      for (std::size_t part = 0; part < parts; ++part) {
        const auto begin = values.size() * part / parts;
        const auto end = values.size() * (part + 1) / parts;
        const auto piece = std::span<const Float>{values}.subspan(begin, end - begin);
        auto partial = part % 2 == 0 ? accumulate<Float>(piece) : accumulate_at_once<Float>(piece);
        if (part % 3 == 0) partial.normalize();
        total.add(partial);
      }
      EXPECT_TRUE(same(total.value(), expected));
      EXPECT_EQ(exact(total), expected_limbs);
    }
  });
}

TEST(Superaccumulator, TakesManyValuesAtOnceAsOneByOne)
{
  for_float_and_double([]<class Float>(Float) {
    constexpr auto inf = limits<Float>::infinity();
    auto values = numbers_of_any_size<Float>(5000, 5);
    values[17] = inf;
    values[18] = inf;
    values[4001] = -inf;
    values[1023] = limits<Float>::quiet_NaN();
    const auto all = std::span<const Float>{values};
    // Around the places where carries are resolved, and where one number is left over.
    for (const std::size_t n : {0u, 1u, 2u, 3u, 1022u, 1023u, 1024u, 1025u, 1026u, 2047u, 2048u, 2049u, 5000u}) {
      ASSERT_EQ(exact(accumulate_at_once(all.first(n))), exact(accumulate(all.first(n)))) << n;
    }
  });
}

TEST(Superaccumulator, HoldsTheGreatestNumbersAtOnce)
{
  for_float_and_double([]<class Float>(Float) {
    // All ones in every place that a limb's additions reach: the worst for the limbs.
    for (int e = 0; e < 32; ++e) {
      const std::vector<Float> values(4096, std::ldexp(-limits<Float>::max(), -e));
      auto total = accumulate_at_once<Float>(values);
      superaccumulator<Float> opposite;
      for (const auto value : values) opposite.add(-value);
      total.add(opposite);
      ASSERT_TRUE(same(total.value(), Float{0})) << e;
    }
  });
}

TEST(Superaccumulator, AddsToWhatIsThere)
{
  const std::vector<double> values{1.0, 2.0, 0x1p-1074};
  superaccumulator<double> sum;
  sum.add(-3.0);
  sum.add(values.data(), values.size());
  EXPECT_TRUE(same(sum.value(), 0x1p-1074));
  sum.add(sum);  // with itself
  EXPECT_TRUE(same(sum.value(), 0x1p-1073));
}

TEST(Superaccumulator, KeepsTheSumWhenNormalised)
{
  for_float_and_double([]<class Float>(Float) {
    for (const auto number : {limits<Float>::denorm_min(), Float{1}, limits<Float>::max()}) {
      for (const auto sign : {Float{1}, Float{-1}}) {
        superaccumulator<Float> sum;
        for (int i = 0; i < 3; ++i) sum.add(sign * number);
        const auto before = sum.value();
        sum.normalize();
        EXPECT_TRUE(same(sum.value(), before));
        const auto limbs = exact(sum);
        EXPECT_EQ(exact(sum), limbs);  // once more changes nothing
      }
    }
  });
}

TEST(Superaccumulator, HoldsAsManyAdditionsAsItPromises)
{
  for_float_and_double([]<class Float>(Float) {
    constexpr auto promised = superaccumulator<Float>::adds_before_normalize;
    for (int e = -40; e < 0; ++e) {
      const auto number = std::ldexp(2 - limits<Float>::epsilon(), e);  // all ones
      for (const auto sign : {Float{1}, Float{-1}}) {
        superaccumulator<Float> sum;
        sum.add(sign * number);
        // Doubling it is as good as adding the number so often, and takes less time.
        std::int64_t count = 1;
        for (; count < promised; count *= 2) sum.add(sum);
        EXPECT_EQ(count, promised);
        ASSERT_TRUE(same(sum.value(), std::ldexp(sign * number, 30)));
        sum.normalize();
        ASSERT_TRUE(same(sum.value(), std::ldexp(sign * number, 30)));
      }
    }
  });
}

TEST(Superaccumulator, MergesAsManyNormalisedOnesAsItPromises)
{
  for_float_and_double([]<class Float>(Float) {
    superaccumulator<Float> sum;
    sum.add(-limits<Float>::denorm_min());
    sum.normalize();  // now all digits are ones, the greatest they can be
    for (std::int64_t count = 1; count < sum.adds_before_normalize; count *= 2) sum.add(sum);
    EXPECT_TRUE(same(sum.value(), std::ldexp(-limits<Float>::denorm_min(), 30)));
  });
}

TEST(Superaccumulator, MergesByAddingLimbs)
{
  for_float_and_double([]<class Float>(Float) {
    auto values = numbers_of_any_size<Float>(8000, 6);
    values[4321] = limits<Float>::infinity();
    const auto all = std::span<const Float>{values};
    superaccumulator<Float> total;
    for (std::size_t part = 0; part < 8; ++part) {
      auto partial = accumulate(all.subspan(part * 1000, 1000));
      if (part % 2 == 0) partial.normalize();
      for (std::size_t i = 0; i < total.limb_count; ++i) total.data()[i] += partial.data()[i];
    }
    EXPECT_EQ(exact(total), exact(accumulate(all)));
    EXPECT_TRUE(same(total.value(), limits<Float>::infinity()));
  });
}

TEST(Superaccumulator, IgnoresTheRoundingMode)
{
  const auto mode = std::fegetround();
  for (const auto other : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    superaccumulator<double> sum;
    ASSERT_EQ(std::fesetround(other), 0);
    sum.add(1.0);
    sum.add(0x1p-53);
    sum.add(0x1p-1074);
    const auto up = sum.value();
    sum.add(-0x1p-1073);
    const auto down = sum.value();
    std::fesetround(mode);
    EXPECT_TRUE(same(up, 1 + 0x1p-52));
    EXPECT_TRUE(same(down, 1.0));
  }
}

TEST(Superaccumulator, SurvivesLimbsThatNoSumWouldLeave)
{
  for_float_and_double([]<class Float>(Float) {
    for (const auto limb : {limits<std::int64_t>::min(), limits<std::int64_t>::max(), std::int64_t{-1}}) {
      superaccumulator<Float> sum;
      std::fill_n(sum.data(), sum.limb_count - 3, limb);
      EXPECT_FALSE(std::isnan(sum.value()));
      sum.normalize();
      sum.add(sum);
      sum.add(limits<Float>::lowest());
      EXPECT_FALSE(std::isnan(sum.value()));
    }
    superaccumulator<Float> sum;
    sum.data()[sum.limb_count - 4] = limits<std::int64_t>::min();  // of the topmost digit: has no opposite
    EXPECT_TRUE(std::isinf(sum.value()));
  });
}

#include <fastgpu/random.hpp>  // first: shows that the header stands alone

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

namespace {

using fastgpu::normal2;
using fastgpu::philox4x32;
using fastgpu::philox4x32_10;
using fastgpu::uniform;
using fastgpu::uniform2;

// The known answers published with the generator.

TEST(Philox, GivesThePublishedAnswerForZeros)
{
  EXPECT_EQ(philox4x32_10({}, {}), (philox4x32{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}));
}

TEST(Philox, GivesThePublishedAnswerForOnes)
{
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32_10({{ones, ones, ones, ones}}, {{ones, ones}}),
            (philox4x32{{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}));
}

TEST(Philox, GivesThePublishedAnswerForTheDigitsOfPi)
{
  EXPECT_EQ(philox4x32_10({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, {{0xa4093822, 0x299f31d0}}),
            (philox4x32{{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));
}

TEST(Philox, IsAConstantExpression)
{
  static_assert(philox4x32_10({}, {}).word[0] == 0x6627e8d5);
  static_assert(uniform(42, 0) == 0x1.dfd524ee73abcp-2);
}

// A function of seed and i is a promise: these bits were computed from the definition by other means and may
// not change.

TEST(Uniform, KeepsItsBits)
{
  EXPECT_EQ(uniform(42, 0), 0x1.dfd524ee73abcp-2);
  EXPECT_EQ(uniform(42, 1), 0x1.4ee9b3f7f36c8p-2);
  EXPECT_EQ(uniform(0x123456789abcdef0, 0xfedcba9876543210), 0x1.9974fc4f7c700p-3);
}

TEST(Uniform2, KeepsItsBits)
{
  const auto [x, y] = uniform2(42, 0);
  EXPECT_EQ(x, 0x1.028f489814998p-3);
  EXPECT_EQ(y, 0x1.6c58813876d16p-1);
  const auto [high_x, high_y] = uniform2(0x123456789abcdef0, 0xfedcba9876543210);
  EXPECT_EQ(high_x, 0x1.c4404bbd7a8b2p-2);
  EXPECT_EQ(high_y, 0x1.76ccab3cb079fp-1);
}

TEST(Uniform2, HasNothingInCommonWithUniform)
{
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto [x, y] = uniform2(42, i);
    EXPECT_NE(x, uniform(42, i));
    EXPECT_NE(y, uniform(42, i));
  }
}

TEST(Uniform, UsesTheUpperHalvesOfSeedAndIndex)
{
  constexpr std::uint64_t upper = std::uint64_t{1} << 32;
  EXPECT_NE(uniform(1, 1), uniform(1 + upper, 1));
  EXPECT_NE(uniform(1, 1), uniform(1, 1 + upper));
}

TEST(UnitInterval, EndsBelowOne)
{
  EXPECT_EQ(fastgpu::detail::unit_interval(0, 0), 0.0);
  EXPECT_EQ(fastgpu::detail::unit_interval(0xffffffff, 0xffffffff), 0x1.fffffffffffffp-1);
}

TEST(UnitInterval, HasFiftyThreeBits)
{
  EXPECT_EQ(fastgpu::detail::unit_interval(0x800, 0), 0x1p-53);
  EXPECT_EQ(fastgpu::detail::unit_interval(0x7ff, 0), 0.0);
}

TEST(Uniform, StaysInRange)
{
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const double x = uniform(7, i);
    ASSERT_GE(x, 0.0) << i;
    ASSERT_LT(x, 1.0) << i;
  }
}

// Chi-squared of 256 classes: 255 degrees of freedom, mean 255, standard deviation 22.6. Nothing here is left
// to chance: the draws are the same at each run.
double chi_squared(const std::vector<std::uint64_t>& counts, std::uint64_t draws)
{
  const double expected = static_cast<double>(draws) / static_cast<double>(counts.size());
  double sum = 0;
  for (const std::uint64_t count : counts) {
    const double difference = static_cast<double>(count) - expected;
    sum += difference * difference / expected;
  }
  return sum;
}

TEST(Uniform, FillsItsClassesEvenly)
{
  constexpr std::uint64_t draws = 1'000'000;
  std::vector<std::uint64_t> counts(256);
  for (std::uint64_t i = 0; i < draws; ++i) ++counts[static_cast<std::size_t>(uniform(42, i) * 256)];
  EXPECT_GT(chi_squared(counts, draws), 170.0);  // too even is not random either
  EXPECT_LT(chi_squared(counts, draws), 350.0);
}

TEST(Uniform, FillsItsClassesEvenlyAcrossSeeds)
{
  constexpr std::uint64_t draws = 1'000'000;
  std::vector<std::uint64_t> counts(256);
  for (std::uint64_t seed = 0; seed < draws; ++seed) ++counts[static_cast<std::size_t>(uniform(seed, 0) * 256)];
  EXPECT_GT(chi_squared(counts, draws), 170.0);
  EXPECT_LT(chi_squared(counts, draws), 350.0);
}

TEST(Uniform2, FillsTheSquareEvenly)
{
  constexpr std::uint64_t draws = 1'000'000;
  std::vector<std::uint64_t> counts(256);
  for (std::uint64_t i = 0; i < draws; ++i) {
    const auto [x, y] = uniform2(42, i);
    ++counts[static_cast<std::size_t>(x * 16) * 16 + static_cast<std::size_t>(y * 16)];
  }
  EXPECT_GT(chi_squared(counts, draws), 170.0);
  EXPECT_LT(chi_squared(counts, draws), 350.0);
}

TEST(Uniform, DrawsNoTwoNeighboursAlike)
{
  // The correlation of 10^6 independent neighbours has a standard deviation of 10^-3.
  constexpr std::uint64_t draws = 1'000'000;
  double sum = 0;
  for (std::uint64_t i = 0; i < draws; ++i) sum += (uniform(42, i) - 0.5) * (uniform(42, i + 1) - 0.5);
  EXPECT_LT(std::abs(12 * sum / static_cast<double>(draws)), 4e-3);
}

TEST(Normal2, AgreesWithTheFormulaInHigherPrecision)
{
  const auto [x, y] = normal2(42, 0);
  EXPECT_NEAR(x, -0.43294670851294029699, 4e-15);
  EXPECT_NEAR(y, -1.1320287872527678561, 4e-15);
  const auto [high_x, high_y] = normal2(0x123456789abcdef0, 0xfedcba9876543210);
  EXPECT_NEAR(high_x, 0.032474157240678111682, 4e-15);
  EXPECT_NEAR(high_y, -0.94492736264969726662, 4e-15);
}

TEST(Normal2, HasTheMomentsOfTheNormalDistribution)
{
  constexpr std::uint64_t pairs = 500'000;
  double mean = 0;
  double square = 0;
  double fourth = 0;
  double product = 0;
  for (std::uint64_t i = 0; i < pairs; ++i) {
    const auto [x, y] = normal2(42, i);
    mean += x + y;
    square += x * x + y * y;
    fourth += x * x * x * x + y * y * y * y;
    product += x * y;
  }
  constexpr double draws = 2.0 * pairs;
  EXPECT_NEAR(mean / draws, 0.0, 4e-3);     // standard deviation 1e-3
  EXPECT_NEAR(square / draws, 1.0, 6e-3);   // 1.4e-3
  EXPECT_NEAR(fourth / draws, 3.0, 4e-2);   // 9.8e-3
  EXPECT_NEAR(product / pairs, 0.0, 6e-3);  // 1.4e-3
}

TEST(RandomPair, TravelsAsBytes)
{
  static_assert(std::is_trivially_copyable_v<fastgpu::random_pair>);
  static_assert(std::is_trivially_copyable_v<philox4x32>);
}

}  // namespace

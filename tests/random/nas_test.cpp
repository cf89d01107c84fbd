#include <fastgpu/random/nas.hpp>  // first: shows that the header stands alone

#include <cstdint>
#include <type_traits>

#include <gtest/gtest.h>

namespace {

using fastgpu::nas_random;

TEST(NasRandom, GivesTheFirstValuesOfTheBenchmarksSeed)
{
  nas_random random;
  EXPECT_EQ(random.state(), 271828183u);
  for (const std::uint64_t expected : {32883653486115u, 55063727434591u, 39106144873291u, 46899331031975u}) {
    EXPECT_EQ(random.next(), static_cast<double>(expected) / 70368744177664.0);
    EXPECT_EQ(random.state(), expected);
  }
}

TEST(NasRandom, JumpsToWhereStepsLead)
{
  nas_random stepped{314159265};
  for (std::uint64_t n = 0; n < 5000; ++n) {
    ASSERT_EQ(nas_random::at(314159265, n), stepped) << n;
    stepped.next();
  }
}

TEST(NasRandom, DiscardsWhatNextWouldHaveGiven)
{
  nas_random stepped;
  nas_random jumped;
  for (const int n : {0, 1, 2, 3, 64, 1000, 131072}) {
    for (int i = 0; i < n; ++i) stepped.next();
    jumped.discard(static_cast<std::uint64_t>(n));
    ASSERT_EQ(jumped, stepped) << n;
  }
}

TEST(NasRandom, JumpsFar)
{
  EXPECT_EQ(nas_random::at(271828183, std::uint64_t{1} << 25).state(), 53565627548887u);
  EXPECT_EQ(nas_random::at(271828183, 1'000'000'000'000'000'000).state(), 69987482191063u);
}

TEST(NasRandom, JumpsInPartsAsInOne)
{
  nas_random parts;
  parts.discard(123'456'789'012);
  parts.discard(987'654'321'098);
  EXPECT_EQ(parts, nas_random::at(nas_random::default_seed, 1'111'111'110'110));
}

TEST(NasRandom, RepeatsAfterTwoToTheFortyFourAndNotAfterHalfOfThat)
{
  const nas_random start;
  EXPECT_EQ(nas_random::at(nas_random::default_seed, std::uint64_t{1} << 44), start);
  EXPECT_NE(nas_random::at(nas_random::default_seed, std::uint64_t{1} << 43), start);
}

TEST(NasRandom, IgnoresSeedBitsAboveTheModulus)
{
  EXPECT_EQ(nas_random{271828183 + (std::uint64_t{1} << 46)}, nas_random{271828183});
}

TEST(NasRandom, StaysInsideTheUnitInterval)
{
  nas_random random;
  for (int i = 0; i < 100'000; ++i) {
    const double u = random.next();
    ASSERT_GT(u, 0.0) << i;
    ASSERT_LT(u, 1.0) << i;
  }
}

// RNR-94-007: of the 2^24 pairs of EP's class S, 13,176,389 lie in the circle. Taken in blocks, as a job does.
TEST(NasRandom, GivesThePublishedCountOfClassS)
{
  constexpr std::uint64_t block = 65536;
  constexpr std::uint64_t pairs = std::uint64_t{1} << 24;
  std::uint64_t kept = 0;
  for (std::uint64_t first = 0; first < pairs; first += block) {
    auto random = nas_random::at(nas_random::default_seed, 2 * first);
    for (std::uint64_t i = 0; i < block; ++i) {
      const double x = 2 * random.next() - 1;
      const double y = 2 * random.next() - 1;
      if (x * x + y * y <= 1) ++kept;
    }
  }
  EXPECT_EQ(kept, 13'176'389u);
}

TEST(NasRandom, IsAConstantExpressionAndTravelsAsBytes)
{
  static_assert(nas_random::at(271828183, 1).state() == 32883653486115);
  static_assert(std::is_trivially_copyable_v<nas_random>);
}

}  // namespace

#include <fastgpu/result.hpp>  // first: shows that the header stands alone

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using fastgpu::errc;
using fastgpu::failure;
using fastgpu::make_error_code;
using fastgpu::result;

result<int> half_of(int n)
{
  if (n % 2 != 0) return failure{make_error_code(errc::invalid_argument), std::to_string(n) + " is odd"};
  return n / 2;
}

TEST(Result, HasAValue)
{
  const auto r = half_of(6);
  EXPECT_TRUE(r.has_value());
  EXPECT_TRUE(static_cast<bool>(r));
  EXPECT_EQ(r.value(), 3);
}

TEST(Result, HasAFailureInstead)
{
  const auto r = half_of(7);
  EXPECT_FALSE(r.has_value());
  EXPECT_FALSE(static_cast<bool>(r));
  EXPECT_EQ(r.error().code, errc::invalid_argument);
  EXPECT_EQ(r.error().detail, "7 is odd");
}

TEST(Result, ThrowsItsFailureWhereTheValueIsAskedFor)
{
  const auto r = half_of(7);
  try {
    (void)r.value();
    FAIL();
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.code(), errc::invalid_argument);
    EXPECT_STREQ(e.what(), "7 is odd");
  }
  EXPECT_THROW((void)half_of(7).value(), fastgpu::error);
}

TEST(Result, GivesItsValueAway)
{
  result<std::unique_ptr<int>> r{std::make_unique<int>(5)};
  const std::unique_ptr<int> taken = std::move(r).value();
  EXPECT_EQ(*taken, 5);
}

TEST(Result, CanBeCopiedAndAssigned)
{
  result<std::vector<int>> r{std::vector<int>{1, 2, 3}};
  auto copy = r;
  EXPECT_EQ(copy.value(), (std::vector{1, 2, 3}));
  copy = failure{make_error_code(errc::cancelled), ""};
  EXPECT_FALSE(copy.has_value());
  EXPECT_TRUE(r.has_value());
}

TEST(ResultDeathTest, StopsWhereTheErrorOfAValueIsAskedFor)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto r = half_of(6);
  EXPECT_DEATH((void)r.error(), "");
}

}  // namespace

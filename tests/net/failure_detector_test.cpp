#include "net/failure_detector.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

namespace {

using fastgpu::seconds;
using fastgpu::detail::failure_detector;
using verdict = failure_detector::verdict;

TEST(FailureDetector, GoesFromAliveToSuspectToDead)
{
  const failure_detector detector{seconds{2}, seconds{5}, seconds{10}};
  EXPECT_EQ(detector.judge(seconds{10}), verdict::alive);
  EXPECT_EQ(detector.judge(seconds{11.999}), verdict::alive);
  EXPECT_EQ(detector.judge(seconds{12}), verdict::suspect);
  EXPECT_EQ(detector.judge(seconds{14.999}), verdict::suspect);
  EXPECT_EQ(detector.judge(seconds{15}), verdict::dead);
  EXPECT_EQ(detector.judge(seconds{1e9}), verdict::dead);
}

TEST(FailureDetector, StartsAnewWhenSomethingIsHeard)
{
  failure_detector detector{seconds{2}, seconds{5}, seconds{0}};
  detector.heard(seconds{4});
  EXPECT_EQ(detector.judge(seconds{5.9}), verdict::alive);
  EXPECT_EQ(detector.suspect_at(), seconds{6});
  EXPECT_EQ(detector.dead_at(), seconds{9});
}

TEST(FailureDetector, HasChangedAtTheVeryTimeItNames)
{
  failure_detector detector{seconds{0.1}, seconds{0.3}, seconds{0}};
  for (int i = 0; i < 10'000; ++i) {
    detector.heard(seconds{i * 0.7 / 3});
    ASSERT_EQ(detector.judge(detector.suspect_at()), verdict::suspect) << i;
    ASSERT_EQ(detector.judge(detector.dead_at()), verdict::dead) << i;
  }
}

}  // namespace

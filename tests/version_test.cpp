#include <fastgpu/version.hpp>

#include <gtest/gtest.h>

#include <string>

TEST(Version, OfTheLibraryIsThatOfTheHeaders)
{
  EXPECT_STREQ(fastgpu::version(), FASTGPU_VERSION);
}

TEST(Version, StandsInThreeNumbersToo)
{
  const auto numbers = std::to_string(FASTGPU_VERSION_MAJOR) + "." + std::to_string(FASTGPU_VERSION_MINOR) + "." +
                       std::to_string(FASTGPU_VERSION_PATCH);
  EXPECT_EQ(numbers, FASTGPU_VERSION);
}

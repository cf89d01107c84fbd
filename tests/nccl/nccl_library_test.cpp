#include "nccl/nccl_library.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using fastgpu::detail::load_nccl;
using testing::HasSubstr;

const std::string folder = FASTGPU_STUB_FOLDER;

void expect_one_line_about(const fastgpu::failure& why, const std::string& what)
{
  EXPECT_EQ(why.code, fastgpu::errc::no_usable_device);
  EXPECT_THAT(why.detail, HasSubstr(what));
  EXPECT_THAT(why.detail, HasSubstr("GPUs reduce over the host"));
  EXPECT_EQ(std::count(why.detail.begin(), why.detail.end(), '\n'), 0);
}

TEST(NcclLibrary, ThatIsAbsentIsAFailureThatNamesIt)
{
  const auto loaded = load_nccl(folder + "/libabsent.so.2");
  ASSERT_FALSE(loaded);
  expect_one_line_about(loaded.error(), "libabsent.so.2");
}

TEST(NcclLibrary, ThatIsTooOldIsAFailureThatNamesBothVersions)
{
  const auto loaded = load_nccl(folder + "/libstub_nccl_old.so");
  ASSERT_FALSE(loaded);
  expect_one_line_about(loaded.error(), "libstub_nccl_old.so is 2.27.7, at least 2.28.0 is needed");
}

TEST(NcclLibrary, WithoutAFunctionIsAFailureThatNamesTheFunction)
{
  const auto loaded = load_nccl(folder + "/libstub_nccl_lacking.so");
  ASSERT_FALSE(loaded);
  expect_one_line_about(loaded.error(), "libstub_nccl_lacking.so has no ncclAllGather");
}

TEST(NcclLibrary, ThatIsNoNcclIsAFailure)
{
  const auto loaded = load_nccl("libc.so.6");
  ASSERT_FALSE(loaded);
  expect_one_line_about(loaded.error(), "libc.so.6 has no ncclGetVersion");
}

TEST(NcclLibrary, ThatIsNewEnoughGivesItsFunctions)
{
  const auto loaded = load_nccl(folder + "/libstub_nccl.so");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded.value().version, 22800);
  EXPECT_EQ(loaded.value().comm_abort(nullptr), ncclInternalError);  // what the stub answers
}

TEST(NcclLibrary, OfThisMachineIsFoundAndNeedsNoGpuToBeLoaded)
{
  const auto& loaded = fastgpu::detail::nccl();
  if (!loaded) GTEST_SKIP() << loaded.error().detail;
  EXPECT_GE(loaded.value().version, 22800);
  EXPECT_STREQ(loaded.value().get_error_string(ncclInvalidUsage), "invalid usage (run with NCCL_DEBUG=WARN for details)");
  EXPECT_EQ(&loaded.value(), &fastgpu::detail::nccl().value());
}

TEST(NcclLibrary, IsTheOneThatTheEnvironmentNames)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the child is a program anew, which has loaded none
  EXPECT_EXIT(
      {
        ::setenv("FASTGPU_NCCL_LIBRARY", (folder + "/libstub_nccl_old.so").c_str(), 1);
        const auto& loaded = fastgpu::detail::nccl();
        std::fputs(loaded ? "loaded" : loaded.error().detail.c_str(), stderr);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "libstub_nccl_old.so is 2.27.7");
}

}  // namespace

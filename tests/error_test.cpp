#include <fastgpu/error.hpp>  // first: shows that the header stands alone

#include <set>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using fastgpu::errc;
using fastgpu::failure;
using fastgpu::make_error_code;

TEST(Error, KeepsTheNumbersOfItsCodes)
{
  // Part of the interface: these never change, and new ones go to the end.
  const std::vector<std::pair<errc, int>> numbers{
      {errc::no_usable_device, 1},   {errc::kernel_failed, 2},       {errc::retries_exhausted, 3},
      {errc::cancelled, 4},          {errc::deadline_exceeded, 5},   {errc::kernel_not_registered, 6},
      {errc::placement_mismatch, 7}, {errc::invalid_argument, 8},    {errc::unsupported_reduction, 9},
      {errc::too_many_subtasks, 10}, {errc::overlapping_data, 11},   {errc::partial_too_large, 12},
      {errc::empty_reduction, 13},   {errc::no_matching_device, 14}, {errc::device_failed, 15},
      {errc::device_lost, 16},       {errc::internal, 17},           {errc::file_error, 18},
      {errc::node_unreachable, 19},  {errc::refused, 20},            {errc::protocol_error, 21},
      {errc::build_mismatch, 22},    {errc::node_lost, 23},          {errc::credentials_error, 24},
      {errc::checkpoint_error, 25},
  };
  for (const auto& [code, number] : numbers) EXPECT_EQ(static_cast<int>(code), number);
}

TEST(Error, HasAMessageOfItsOwnForEachCode)
{
  std::set<std::string> messages;
  for (int number = 1; number <= 25; ++number) {
    const auto message = make_error_code(static_cast<errc>(number)).message();
    EXPECT_FALSE(message.empty());
    EXPECT_EQ(message.find("unknown"), std::string::npos) << number;
    EXPECT_TRUE(messages.insert(message).second) << message;
  }
  EXPECT_EQ(make_error_code(errc::no_usable_device).message(), "no usable device");
  EXPECT_EQ(make_error_code(static_cast<errc>(12345)).message(), "unknown error 12345");
}

TEST(Error, HasOneCategory)
{
  EXPECT_EQ(&fastgpu::category(), &fastgpu::category());
  EXPECT_STREQ(fastgpu::category().name(), "fastgpu");
  EXPECT_EQ(make_error_code(errc::cancelled).category(), fastgpu::category());
}

TEST(Error, CodesCompareWithErrorCodes)
{
  const std::error_code code = errc::cancelled;
  EXPECT_EQ(code, errc::cancelled);
  EXPECT_NE(code, errc::deadline_exceeded);
  EXPECT_NE(code, (std::error_code{4, std::generic_category()}));
  EXPECT_TRUE(code);
  EXPECT_TRUE(std::is_error_code_enum_v<errc>);
}

TEST(Error, SaysItsDetail)
{
  const fastgpu::error e{errc::invalid_argument, "devices: 'x': expected better"};
  EXPECT_STREQ(e.what(), "devices: 'x': expected better");
  EXPECT_EQ(e.code(), errc::invalid_argument);
  EXPECT_EQ(e.why().code, errc::invalid_argument);
  EXPECT_EQ(e.why().detail, "devices: 'x': expected better");
}

TEST(Error, SaysItsCodesMessageWhereItHasNoDetail)
{
  const fastgpu::error e{failure{make_error_code(errc::cancelled), ""}};
  EXPECT_STREQ(e.what(), "cancelled");
}

TEST(Error, IsCaughtAsASystemError)
{
  try {
    throw fastgpu::error{errc::device_lost, "gone"};
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), errc::device_lost);
    EXPECT_STREQ(e.what(), "gone");
  }
}

TEST(Error, CarriesCodesOfOthers)
{
  const fastgpu::error e{failure{std::make_error_code(std::errc::no_space_on_device), "out.png"}};
  EXPECT_EQ(e.code(), std::errc::no_space_on_device);
  EXPECT_STREQ(e.what(), "out.png");
}

}  // namespace

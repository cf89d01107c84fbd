#include "net/address.hpp"

#include <string>

#include <gtest/gtest.h>
#include <fastgpu/error.hpp>

#include "support/refusal.hpp"

namespace {

using fastgpu::detail::parse_address;

TEST(Address, IsAHostAndAPort)
{
  const auto parsed = parse_address("gpu7.lab:7400");
  EXPECT_EQ(parsed.host, "gpu7.lab");
  EXPECT_EQ(parsed.port, 7400);
  EXPECT_FALSE(parsed.is_unix());
  EXPECT_EQ(parsed.text(), "gpu7.lab:7400");
}

TEST(Address, HasBracketsAroundIPv6)
{
  const auto parsed = parse_address("gpu7@[::1]:0");
  EXPECT_EQ(parsed.name, "gpu7");
  EXPECT_EQ(parsed.host, "::1");
  EXPECT_EQ(parsed.text(), "[::1]:0");
}

TEST(Address, IsAPathBehindUnix)
{
  const auto parsed = parse_address("unix:/run/fastgpu/node");
  EXPECT_TRUE(parsed.is_unix());
  EXPECT_EQ(parsed.path, "/run/fastgpu/node");
  EXPECT_EQ(parse_address("unix:/a@b").path, "/a@b");
}

TEST(Address, SaysWhatWasExpectedWhereItIsNone)
{
  for (const auto* wrong : {"", "gpu7", "gpu7:", ":7400", "gpu7:70000", "gpu7:-1", "gpu7:74x", "::1:7400", "[gpu7]:7400",
                            "GPU@gpu7:1", "@gpu7:1", "gpu 7:1", "unix:", "unix:relative", "unix:/folder/", "a@b@c:1"}) {
    EXPECT_EQ(support::refusal([&] { return parse_address(wrong); }), fastgpu::errc::invalid_argument) << wrong;
  }
  EXPECT_EQ(support::refusal([&] { return parse_address("unix:/" + std::string(107, 'x')); }),
            fastgpu::errc::invalid_argument);
  EXPECT_EQ(parse_address("unix:/" + std::string(106, 'x')).path.size(), 107u);
}

}  // namespace

#include "device/numeric_class.hpp"  // first: shows that the header stands alone

#include <string>

#include <gtest/gtest.h>

#include <fastgpu/cluster/cluster.hpp>

namespace {

using fastgpu::detail::host_numeric_class;

TEST(NumericClass, OfTheHostSaysInstructionSetAndCLibrary)
{
#if defined(__x86_64__) && defined(__GLIBC__)
  const auto text = host_numeric_class();
  const std::string before = "host x86-64-v";
  ASSERT_EQ(text.substr(0, before.size()), before);
  EXPECT_TRUE(text[before.size()] >= '1' && text[before.size()] <= '4') << text;
  EXPECT_EQ(text.substr(before.size() + 1, 9), " glibc-2.") << text;
#else
  EXPECT_EQ(host_numeric_class().substr(0, 5), "host ");
#endif
}

TEST(NumericClass, IsTheSameOfAllDevicesOnTheCores)
{
  const fastgpu::cluster cluster{"host:1,paced:1000,faulty:1"};
  for (const auto& device : cluster.devices()) EXPECT_EQ(device.numeric_class, host_numeric_class()) << device.name;
}

}  // namespace

#include "device/paced_device.hpp"  // first: shows that the header stands alone

#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>

#include "support/sum_of_hundred.hpp"

namespace {

using fastgpu::detail::batch_status;
using fastgpu::detail::fold_kind;
using fastgpu::detail::paced_device;
using support::sum_of_hundred;
using clock = std::chrono::steady_clock;

TEST(PacedDevice, TakesTheTimeThatItsRateSays)
{
  const int running = 0;
  const auto job = sum_of_hundred(1);
  paced_device device{{0}, 1000, "paced:1000"};
  const auto session = device.open({&job.data(), fold_kind::single, &running, 0});
  const auto begin = clock::now();
  for (std::uint32_t s = 0; s < 30; ++s) ASSERT_EQ(session->launch({s, s + 1}), batch_status::done);
  EXPECT_GE(clock::now() - begin, std::chrono::milliseconds{29});
}

TEST(PacedDevice, SleepsNoLongerThanTheRunLasts)
{
  const int over = 1;
  const auto job = sum_of_hundred(1);
  paced_device device{{0}, 0.01, "paced:0.01"};  // 100 seconds a subtask
  const auto session = device.open({&job.data(), fold_kind::single, &over, 0});
  const auto begin = clock::now();
  ASSERT_EQ(session->launch({0, 1}), batch_status::done);
  EXPECT_LT(clock::now() - begin, std::chrono::seconds{10});
}

}  // namespace

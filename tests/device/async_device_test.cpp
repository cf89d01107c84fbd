#include "support/async_device.hpp"  // first: shows that the header stands alone

#include <vector>

#include <gtest/gtest.h>

#include "support/sum_of_hundred.hpp"

/// @file
/// The fake itself; runs over such devices are in execute/async_device_test.cpp.

namespace {

using fastgpu::interval;
using fastgpu::detail::batch_status;
using fastgpu::detail::fold_kind;
using support::sum_of_hundred;

using intervals = std::vector<interval>;

TEST(AsyncDevice, HasTwoBatchesUnderWay)
{
  const auto job = sum_of_hundred(1);
  const int running = 0;
  support::async_device device{{0}, "async"};
  const auto session = device.open({&job.data(), fold_kind::single, &running, 0});
  ASSERT_EQ(session->in_flight_max(), 2u);
  ASSERT_EQ(session->launch({0, 1}), batch_status::queued);
  ASSERT_EQ(session->launch({1, 3}), batch_status::queued);
  intervals done;
  for (int polls = 0; done.size() < 2 && polls < 100; ++polls) {
    interval batch;
    if (session->poll(batch) == batch_status::done) done.push_back(batch);
  }
  EXPECT_EQ(done, (intervals{{0, 1}, {1, 3}}));
  EXPECT_EQ(session->seal().counter, 3u);
}

}  // namespace

#include "device/faulty_device.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/sum_of_hundred.hpp"

namespace {

using fastgpu::errc;
using fastgpu::detail::batch_status;
using fastgpu::detail::device;
using fastgpu::detail::fault_plan;
using fastgpu::detail::faulty_device;
using fastgpu::detail::fold_kind;
using fastgpu::detail::job_data;
using support::sum_of_hundred;

/// What becomes of a hundred batches of one, a letter each: done, failed, lost.
std::string story_of(device& of, const job_data& job)
{
  const int running = 0;
  std::string story;
  const auto session = of.open({&job, fold_kind::single, &running, 0});
  for (std::uint32_t s = 0; s < 100; ++s) {
    const auto status = session->launch({s, s + 1});
    story += status == batch_status::done ? 'd' : status == batch_status::failed ? 'f' : 'L';
    if (status == batch_status::lost) {
      EXPECT_EQ(session->why().code, errc::device_lost);
      break;
    }
  }
  return story;
}

TEST(FaultyDevice, HasTheFaultsOfItsSeed)
{
  const auto job = sum_of_hundred(1);
  std::vector<std::string> stories;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const fault_plan plan{.seed = seed, .stall_ms = 0};
    faulty_device one{{0}, plan, "faulty"};
    faulty_device same{{0}, plan, "faulty"};
    const auto first = story_of(one, job.data());
    const auto second = story_of(one, job.data());
    EXPECT_EQ(story_of(same, job.data()), first) << "seed " << seed;
    EXPECT_EQ(story_of(same, job.data()), second) << "seed " << seed;
    EXPECT_NE(first, second) << "seed " << seed;  // another run, another draw
    stories.push_back(first);
  }
  EXPECT_TRUE(std::any_of(stories.begin(), stories.end(), [](const auto& s) { return s.back() == 'L'; }));
  EXPECT_TRUE(std::any_of(stories.begin(), stories.end(), [](const auto& s) { return s.back() != 'L'; }));
}

TEST(FaultyDevice, SaysWhichSeedItWas)
{
  const auto job = sum_of_hundred(1);
  const int running = 0;
  faulty_device device{{0}, {.seed = 77, .fail_share = 1, .die_share = 0}, "faulty:77"};
  const auto session = device.open({&job.data(), fold_kind::single, &running, 0});
  ASSERT_EQ(session->launch({0, 1}), batch_status::failed);
  EXPECT_EQ(session->why().detail, "the faulty device refused a batch, as its seed 77 has it");
  EXPECT_FALSE(session->seal().values);  // folded nothing of it
}

TEST(FaultyDevice, DiesWithWhatItHasFolded)
{
  const auto job = sum_of_hundred(1);
  const int running = 0;
  faulty_device device{
      {0}, {.seed = 7, .fail_share = 0, .stall_share = 0, .die_share = 1, .die_within = 1}, "faulty:7"};
  const auto session = device.open({&job.data(), fold_kind::single, &running, 0});
  ASSERT_EQ(session->launch({0, 10}), batch_status::lost);
  EXPECT_EQ(session->why().code, errc::device_lost);
  EXPECT_EQ(session->why().detail, "the faulty device died, as its seed 7 has it");
}

}  // namespace

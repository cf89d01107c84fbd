#include "cluster/seat.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace {

using namespace std::chrono_literals;
using fastgpu::detail::seat;
using fastgpu::detail::seat_holder;

TEST(Seat, HasOneHolder)
{
  seat s;
  EXPECT_EQ(s.holder(), seat_holder::nobody);
  EXPECT_TRUE(s.take(seat_holder::guest));
  EXPECT_FALSE(s.take(seat_holder::thread));
  EXPECT_FALSE(s.take(seat_holder::guest));
  EXPECT_EQ(s.holder(), seat_holder::guest);
  s.leave();
  EXPECT_TRUE(s.take(seat_holder::thread));
}

TEST(Seat, DoesNotSleepWhereItShouldNotStay)
{
  seat s;
  s.belongs_to_this_thread();
  bool asked = false;
  s.park([&] {
    asked = true;
    EXPECT_TRUE(s.asleep());
    return false;
  });
  EXPECT_TRUE(asked);
  EXPECT_FALSE(s.asleep());
  EXPECT_FALSE(s.wake());
}

TEST(Seat, IsWokenOncePerSleepHoweverOften)
{
  seat s;
  std::atomic<int> slept = 0;
  std::atomic<bool> over = false;
  std::atomic<bool> gone = false;
  std::thread sleeper{[&] {
    s.belongs_to_this_thread();
    while (!over) {
      s.park([&] { return !over; });
      ++slept;
    }
    gone = true;
  }};
  int woken = 0;
  constexpr int enough = 2000;
  constexpr int most = 200'000;  // on a busy machine the sleeper may need long to get to sleep
  for (int i = 0; i < enough || (woken == 0 && i < most); ++i) {
    if (i % 2 == 0 ? s.wake() : s.wake_elsewhere()) ++woken;
    if (i % 100 == 0) std::this_thread::sleep_for(100us);
  }
  over = true;
  while (!gone) {
    if (s.wake()) ++woken;
    std::this_thread::yield();
  }
  sleeper.join();
  EXPECT_GE(slept, woken);
  EXPECT_GT(woken, 0);
}

TEST(Seat, GivesItsThreadAllItsCoresBack)
{
  seat s;
  std::atomic<int> rounds = 0;
  std::atomic<bool> same = true;
  constexpr int all = 200;
  std::thread sleeper{[&] {
    s.belongs_to_this_thread();
    cpu_set_t before;
    CPU_ZERO(&before);
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    for (int i = 0; i < all; ++i) {
      s.park([] { return true; });
      cpu_set_t now;
      CPU_ZERO(&now);
      if (sched_getaffinity(0, sizeof now, &now) != 0 || !CPU_EQUAL(&before, &now)) same = false;
      ++rounds;
    }
  }};
  while (rounds < all) {
    (void)s.wake_elsewhere();
    std::this_thread::yield();
  }
  sleeper.join();
  EXPECT_TRUE(same);
}

}  // namespace

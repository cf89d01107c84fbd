#include "execute/in_flight_board.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace {

using fastgpu::interval;
using fastgpu::seconds;
using fastgpu::detail::in_flight_board;

constexpr seconds soon{0.001};
constexpr seconds for_ever{0};

void wait_a_moment() { std::this_thread::sleep_for(std::chrono::milliseconds{5}); }

TEST(InFlightBoard, SaysWhatIsUnderWayOfAJob)
{
  in_flight_board board;
  board.write(0, 7, {10, 20}, for_ever);
  board.write(1, 8, {20, 30}, for_ever);
  board.write(2, 7, {30, 31}, for_ever);
  board.write(2, 7, {}, for_ever);
  EXPECT_EQ(board.read(7), (std::vector<interval>{{10, 20}}));
  EXPECT_EQ(board.read(8), (std::vector<interval>{{20, 30}}));
  EXPECT_TRUE(board.read(9).empty());
}

TEST(InFlightBoard, ABatchIsOverdueAfterItsTimeAndNotWhenItHasEnded)
{
  in_flight_board board;
  board.write(0, 1, {1, 2}, for_ever);
  board.write(1, 1, {3, 5}, soon);
  wait_a_moment();
  EXPECT_EQ(board.overdue(), (interval{3, 5}));
  board.write(1, 1, {}, soon);
  EXPECT_TRUE(board.overdue().empty());
}

TEST(InFlightBoard, ALimitIsForWhatIsUnderWayOfOneJob)
{
  in_flight_board board;
  board.write(0, 1, {1, 2}, for_ever);
  board.write(1, 2, {3, 5}, for_ever);
  board.limit(2, soon);
  wait_a_moment();
  EXPECT_EQ(board.overdue(), (interval{3, 5}));
  board.write(1, 2, {5, 6}, for_ever);
  EXPECT_TRUE(board.overdue().empty());
}

TEST(InFlightBoard, ALimitDoesNotGiveMoreTime)
{
  in_flight_board board;
  board.write(0, 1, {1, 2}, soon);
  board.limit(1, seconds{100.0});
  wait_a_moment();
  EXPECT_FALSE(board.overdue().empty());
}

}  // namespace

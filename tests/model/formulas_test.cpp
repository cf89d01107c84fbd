#include <fastgpu/model/formulas.hpp>  // first: shows that the header stands alone

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/refused.hpp"

namespace {

using namespace std::chrono_literals;
using fastgpu::seconds;
using support::expect_refused;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double largest = std::numeric_limits<double>::max();

// 1 and 2 -----------------------------------------------------------------------------------------------------

TEST(TTotal, HasTheWorkedExamplesValue)
{
  const auto time = fastgpu::t_total({.N = 4, .M = 2, .T_task = 500ms, .T_comm = 100ms});
  EXPECT_DOUBLE_EQ(time.total().count, 4.4);
  EXPECT_DOUBLE_EQ(time.gpus.count, 4.0);
  EXPECT_DOUBLE_EQ(time.links.count, 0.4);
}

TEST(TTotal, CountsOccupiedTimeNotWallClockTime)
{
  // Ten times the nodes for the same work: a run of a tenth of the time, the same bill.
  const auto few = fastgpu::t_total({.N = 1, .M = 8, .T_task = 10s});
  const auto many = fastgpu::t_total({.N = 10, .M = 8, .T_task = 1s});
  EXPECT_DOUBLE_EQ(few.total().count, 80);
  EXPECT_DOUBLE_EQ(many.total().count, few.total().count);
}

TEST(TTotal, OfSubtasksAtOnceIsTheFirstFormulaWithItsTimes)
{
  const auto time =
      fastgpu::t_total({.N = 3, .M = 4, .T_original = 20s, .P = 2.5, .D = 5e9, .B = 2.5e9});
  EXPECT_DOUBLE_EQ(time.gpus.count, 3 * 4 * 20 / 2.5);
  EXPECT_DOUBLE_EQ(time.links.count, 3 * 5e9 / 2.5e9);
  const auto first = fastgpu::t_total({.N = 3, .M = 4, .T_task = 8s, .T_comm = 2s});
  EXPECT_DOUBLE_EQ(time.total().count, first.total().count);
}

TEST(TTotal, IsZeroWhereNothingIsDone)
{
  EXPECT_EQ(fastgpu::t_total(fastgpu::t_total_arguments{}).total(), seconds{0});
  EXPECT_EQ(fastgpu::t_total({.T_original = 0s, .P = 1, .D = 0, .B = 1}).total(), seconds{0});
}

TEST(TTotal, CountsNodesBeyondWhatAnIntegerProductHolds)
{
  const std::int64_t many = std::int64_t{1} << 62;
  EXPECT_DOUBLE_EQ(fastgpu::t_total({.N = many, .M = many, .T_task = 1s}).total().count, 0x1p124);
}

TEST(TTotal, RefusesWhatIsOutOfRange)
{
  expect_refused({
      {[] { (void)fastgpu::t_total({.N = 0, .T_task = 1s}); }, "t_total: N = 0: expected at least 1"},
      {[] { (void)fastgpu::t_total({.N = -4, .T_task = 1s}); }, "t_total: N = -4: "},
      {[] { (void)fastgpu::t_total({.M = 0, .T_task = 1s}); }, "t_total: M = 0: "},
      {[] { (void)fastgpu::t_total({.T_task = seconds{-0.5}}); }, "t_total: T_task = -0.5: expected a finite number"},
      {[] { (void)fastgpu::t_total({.T_task = seconds{nan}}); }, "t_total: T_task = nan: "},
      {[] { (void)fastgpu::t_total({.T_task = 1s, .T_comm = seconds{inf}}); }, "t_total: T_comm = inf: "},
      {[] { (void)fastgpu::t_total({.T_task = 1s, .T_comm = seconds{-inf}}); }, "t_total: T_comm = -inf: "},
      {[] { (void)fastgpu::t_total({.N = 2, .T_task = seconds{largest}}); }, "t_total: T_total = inf: "},
      {[] { (void)fastgpu::t_total({.N = 0, .P = 1, .B = 1}); }, "t_total: N = 0: "},
      {[] { (void)fastgpu::t_total({.M = -1, .P = 1, .B = 1}); }, "t_total: M = -1: "},
      {[] { (void)fastgpu::t_total({.T_original = seconds{-1}, .P = 1, .B = 1}); }, "t_total: T_original = -1: "},
      {[] { (void)fastgpu::t_total({.P = 0, .B = 1}); }, "t_total: P = 0: expected a finite number above 0"},
      {[] { (void)fastgpu::t_total({.P = -2, .B = 1}); }, "t_total: P = -2: "},
      {[] { (void)fastgpu::t_total({.P = nan, .B = 1}); }, "t_total: P = nan: "},
      {[] { (void)fastgpu::t_total({.P = inf, .B = 1}); }, "t_total: P = inf: "},
      {[] { (void)fastgpu::t_total({.D = -1, .B = 1}); }, "t_total: D = -1: "},
      {[] { (void)fastgpu::t_total({.D = 1}); }, "t_total: B = 0: "},
      {[] { (void)fastgpu::t_total({.D = 1, .B = inf}); }, "t_total: B = inf: "},
      {[] { (void)fastgpu::t_total({.D = largest, .B = 0.5}); }, "t_total: T_total = inf: "},
  });
}

// 3 -----------------------------------------------------------------------------------------------------------

TEST(Capability, HasTheWorkedExamplesValuesButForItsSlip)
{
  const auto figures = fastgpu::capability({.m = 1000, .n = 10, .C = 100});
  EXPECT_EQ(figures.T, 1000);
  EXPECT_EQ(figures.t2, seconds{1});
  EXPECT_EQ(figures.t1, seconds{1});  // printed as 10 s; 1000 / (10 x 100) is 1
}

TEST(Capability, IsALowerBoundOfWholeSubtasks)
{
  for (const std::int64_t n : {1, 2, 3, 7, 10}) {
    for (const std::int64_t m : {0, 1, 6, 10, 11, 1000}) {
      const double C = 4;
      const auto whole = std::ceil(static_cast<double>(m) / static_cast<double>(n)) / C;
      const auto t1 = fastgpu::capability({.m = m, .n = n, .C = C}).t1.count;
      EXPECT_LE(t1, whole) << m << " subtasks, " << n << " nodes";
      if (m % n == 0) {
        EXPECT_DOUBLE_EQ(t1, whole);
      }
    }
  }
}

TEST(Capability, RefusesWhatIsOutOfRange)
{
  expect_refused({
      {[] { (void)fastgpu::capability({.m = -1, .n = 1, .C = 1}); }, "capability: m = -1: expected at least 0"},
      {[] { (void)fastgpu::capability({.m = 1, .n = 0, .C = 1}); }, "capability: n = 0: "},
      {[] { (void)fastgpu::capability({.m = 1, .n = 1, .C = 0}); }, "capability: C = 0: "},
      {[] { (void)fastgpu::capability({.m = 1, .n = 1, .C = -100}); }, "capability: C = -100: "},
      {[] { (void)fastgpu::capability({.m = 1, .n = 1, .C = nan}); }, "capability: C = nan: "},
      {[] { (void)fastgpu::capability({.m = 1, .n = 1, .C = inf}); }, "capability: C = inf: "},
      {[] { (void)fastgpu::capability({.m = 1, .n = 2, .C = largest}); }, "capability: T = inf: "},
      {[] { (void)fastgpu::capability({.m = 1, .n = 1, .C = 1e-310}); }, "capability: t1 = inf: "},
  });
}

// 4 -----------------------------------------------------------------------------------------------------------

TEST(Performance, HasTheWorkedExamplesValue)
{
  EXPECT_DOUBLE_EQ(fastgpu::performance({.alpha = 1.1, .U = 0.8, .S = 0.2, .V = 0.9}), 0.1584);
}

TEST(Performance, IsTheProductOfItsFactors)
{
  EXPECT_EQ(fastgpu::performance({.alpha = 2, .U = 1, .S = 8, .V = 0.5}), 8);
  EXPECT_EQ(fastgpu::performance({.alpha = 2, .U = 0, .S = 8, .V = 0.5}), 0);
}

TEST(Performance, RefusesWhatIsOutOfRange)
{
  expect_refused({
      {[] { (void)fastgpu::performance({.alpha = -1}); }, "performance: alpha = -1: "},
      {[] { (void)fastgpu::performance({.alpha = inf}); }, "performance: alpha = inf: "},
      {[] { (void)fastgpu::performance({.U = -0.1}); }, "performance: U = -0.1: "},
      {[] { (void)fastgpu::performance({.U = 1.1}); }, "performance: U = 1.1: expected at most 1"},
      {[] { (void)fastgpu::performance({.U = nan}); }, "performance: U = nan: "},
      {[] { (void)fastgpu::performance({.S = -1}); }, "performance: S = -1: "},
      {[] { (void)fastgpu::performance({.V = nan}); }, "performance: V = nan: "},
      {[] { (void)fastgpu::performance({.alpha = largest, .U = 1, .S = 2}); }, "performance: P = inf: "},
  });
}

// 5 as printed ------------------------------------------------------------------------------------------------

TEST(PrintedWaitingTime, HasTheWorkedExamplesValue)
{
  EXPECT_DOUBLE_EQ(fastgpu::printed_waiting_time({.P_i = 5, .R = 5, .N = 10}), 0.004);
}

TEST(PrintedWaitingTime, FallsWithTheRequestsAndSoIsNoWaitingTime)
{
  EXPECT_LT(fastgpu::printed_waiting_time({.P_i = 5, .R = 5, .N = 1000}),
            fastgpu::printed_waiting_time({.P_i = 5, .R = 5, .N = 10}));
}

TEST(PrintedWaitingTime, RefusesWhatIsOutOfRange)
{
  expect_refused({
      {[] { (void)fastgpu::printed_waiting_time({.P_i = 0}); }, "waiting_time: P_i = 0: "},
      {[] { (void)fastgpu::printed_waiting_time({.P_i = -5}); }, "waiting_time: P_i = -5: "},
      {[] { (void)fastgpu::printed_waiting_time({.P_i = nan}); }, "waiting_time: P_i = nan: "},
      {[] { (void)fastgpu::printed_waiting_time({.R = 0}); }, "waiting_time: R = 0: "},
      {[] { (void)fastgpu::printed_waiting_time({.N = 0}); }, "waiting_time: N = 0: "},
      {[] { (void)fastgpu::printed_waiting_time({.P_i = 1e-310}); }, "waiting_time: T_i = inf: "},
  });
}

// 6 -----------------------------------------------------------------------------------------------------------

TEST(LoadBalance, IsTheMeanOfEachRow)
{
  EXPECT_THAT(fastgpu::load_balance({{{1, 2, 3}, {4, 5, 6}}}), testing::ElementsAre(2, 5));
  EXPECT_THAT(fastgpu::load_balance({{{0}}}), testing::ElementsAre(0));
}

TEST(LoadBalance, IsAShareWhenNormalised)
{
  EXPECT_THAT(fastgpu::load_balance_normalised({{{1, 2, 3}, {4, 5, 6}}}),
              testing::ElementsAre(testing::DoubleEq(6.0 / 21), testing::DoubleEq(15.0 / 21)));
  EXPECT_THAT(fastgpu::load_balance_normalised({{{0, 0}, {0, 7}}}), testing::ElementsAre(0, 1));
}

TEST(LoadBalance, HasSharesThatAddUpToOneAndKeepTheRatiosOfTheMeans)
{
  const fastgpu::load_balance_arguments w{{{0.3, 7, 1e-3}, {2, 0, 1}, {1e6, 2, 3}, {0.1, 0.2, 0.3}}};
  const auto p = fastgpu::load_balance(w);
  const auto share = fastgpu::load_balance_normalised(w);
  double whole = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    whole += share[i];
    EXPECT_DOUBLE_EQ(share[i] * p[0], share[0] * p[i]);
  }
  EXPECT_DOUBLE_EQ(whole, 1);
}

TEST(LoadBalance, RefusesWhatIsOutOfRange)
{
  expect_refused({
      {[] { (void)fastgpu::load_balance({}); }, "load_balance: w = (): expected a row"},
      {[] { (void)fastgpu::load_balance({{{}}}); }, "load_balance: w_1 = 0 loads: "},
      {[] { (void)fastgpu::load_balance({{{1, 2}, {3}}}); }, "load_balance: w_2 = 1 loads: expected 2"},
      {[] { (void)fastgpu::load_balance({{{1, 2}, {3, -1}}}); }, "load_balance: w_2,2 = -1: "},
      {[] { (void)fastgpu::load_balance({{{nan, 2}, {3, 1}}}); }, "load_balance: w_1,1 = nan: "},
      {[] { (void)fastgpu::load_balance_normalised({{{1, inf}}}); }, "load_balance: w_1,2 = inf: "},
      {[] { (void)fastgpu::load_balance({{{largest, largest}}}); }, "load_balance: p_1 = inf: "},
      {[] { (void)fastgpu::load_balance_normalised({{{largest}, {largest}}}); }, "load_balance: sum of w = inf: "},
      {[] { (void)fastgpu::load_balance_normalised({{{0, 0}, {0, 0}}}); }, "load_balance: sum of w = 0: "},
  });
}

}  // namespace

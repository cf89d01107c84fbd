#include <fastgpu/model/priority_queue.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/refused.hpp"

namespace {

using fastgpu::erlang_c;
using fastgpu::waiting_time;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Erlang C as it is defined, by powers and factorials: for R of a few dozen at most.
double by_direct_sum(int R, double a)
{
  long double term = 1;  // a^k / k!
  long double below = 0;
  for (int k = 0; k < R; ++k) {
    below += term;
    term *= static_cast<long double>(a) / (k + 1);
  }
  const auto waiting = term * R / (R - static_cast<long double>(a));
  return static_cast<double>(waiting / (below + waiting));
}

/// The same by logarithms, each term divided by the last: for any R.
double by_logarithms(std::int64_t R, double a)
{
  const auto log_term = [&](std::int64_t k) {
    return static_cast<long double>(k) * std::log(static_cast<long double>(a)) -
           std::lgamma(static_cast<long double>(k + 1));
  };
  long double below = 0;
  for (std::int64_t k = 0; k < R; ++k) below += std::exp(log_term(k) - log_term(R));
  const auto waiting = static_cast<long double>(R) / (static_cast<long double>(R) - static_cast<long double>(a));
  return static_cast<double>(waiting / (below + waiting));
}

/// Mean waiting times of two classes from the stationary distribution of the queue itself: a Markov chain over how many
/// are served and, when all servers are busy, how many of each class wait, cut off at `longest`.
std::pair<double, double> by_markov_chain(int R, double mu, double lambda_1, double lambda_2, int longest)
{
  const auto side = static_cast<std::size_t>(longest) + 1;
  const auto at = [side](std::size_t first, std::size_t second) { return first * side + second; };
  const auto lambda = lambda_1 + lambda_2;
  std::vector<double> served(static_cast<std::size_t>(R), 0.0);  // fewer than R served, nobody waits
  std::vector<double> waits(side * side, 0.0);                   // all R busy
  served[0] = 1;
  // Uniformised: in each step of length 1 / rate at most one thing happens.
  const auto rate = lambda + R * mu;
  auto next_served = served;
  auto next_waits = waits;
  for (int step = 0;; ++step) {
    std::ranges::fill(next_served, 0.0);
    std::ranges::fill(next_waits, 0.0);
    for (int k = 0; k < R; ++k) {
      const auto p = served[static_cast<std::size_t>(k)] / rate;
      (k + 1 < R ? next_served[static_cast<std::size_t>(k) + 1] : next_waits[0]) += p * lambda;
      if (k > 0) next_served[static_cast<std::size_t>(k) - 1] += p * k * mu;
      next_served[static_cast<std::size_t>(k)] += p * (rate - lambda - k * mu);
    }
    for (std::size_t i = 0; i < side; ++i) {
      for (std::size_t j = 0; j < side; ++j) {
        const auto p = waits[at(i, j)] / rate;
        if (p == 0) continue;
        next_waits[at(std::min(i + 1, side - 1), j)] += p * lambda_1;
        next_waits[at(i, std::min(j + 1, side - 1))] += p * lambda_2;
        auto& after = i > 0   ? next_waits[at(i - 1, j)]
                      : j > 0 ? next_waits[at(i, j - 1)]
                      : R > 1 ? next_served[static_cast<std::size_t>(R) - 1]
                              : next_served[0];
        after += p * R * mu;
      }
    }
    double change = 0;
    for (std::size_t s = 0; s < waits.size(); ++s) change = std::max(change, std::abs(next_waits[s] - waits[s]));
    served.swap(next_served);
    waits.swap(next_waits);
    if (step > 100 && change < 1e-13) break;
  }
  double first = 0;
  double second = 0;
  for (std::size_t i = 0; i < side; ++i) {
    for (std::size_t j = 0; j < side; ++j) {
      first += static_cast<double>(i) * waits[at(i, j)];
      second += static_cast<double>(j) * waits[at(i, j)];
    }
  }
  return {first / lambda_1, second / lambda_2};  // Little's law
}

// Erlang C ----------------------------------------------------------------------------------------------------

TEST(ErlangC, HasTheValuesOfSmallQueues)
{
  EXPECT_DOUBLE_EQ(erlang_c({.R = 1, .a = 0.75}), 0.75);
  EXPECT_DOUBLE_EQ(erlang_c({.R = 2, .a = 1}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(erlang_c({.R = 2, .a = 1.5}), 9.0 / 14);
  EXPECT_DOUBLE_EQ(erlang_c({.R = 3, .a = 2}), 4.0 / 9);
  EXPECT_DOUBLE_EQ(erlang_c({.R = 5, .a = 4}), 128.0 / 231);
}

TEST(ErlangC, EqualsTheDirectSum)
{
  for (int R = 1; R <= 40; ++R) {
    for (const double rho : {1e-6, 0.1, 0.5, 0.8, 0.99, 0.999999}) {
      const auto expected = by_direct_sum(R, rho * R);
      EXPECT_NEAR(erlang_c({.R = R, .a = rho * R}), expected, 1e-13 * expected) << R << " servers, load " << rho;
    }
  }
}

TEST(ErlangC, StaysRightForThousandsOfServers)
{
  for (const std::int64_t R : {170, 171, 1000, 5000, 20'000}) {  // 171! is beyond a double
    for (const double rho : {0.5, 0.9, 0.97, 0.999, 0.999999}) {
      const auto expected = by_logarithms(R, rho * static_cast<double>(R));
      EXPECT_NEAR(erlang_c({.R = R, .a = rho * static_cast<double>(R)}), expected, 1e-10 * expected)
          << R << " servers, load " << rho;
    }
  }
}

TEST(ErlangC, IsAProbabilityThatGrowsWithTheLoadAndFallsWithServers)
{
  for (const std::int64_t R : {1, 3, 64, 1000, 100'000}) {
    double last = 0;
    for (const double rho : {0.0, 0.3, 0.9, 0.99, 0.9999, 1 - 1e-12}) {
      const auto C = erlang_c({.R = R, .a = rho * static_cast<double>(R)});
      EXPECT_GE(C, last);
      EXPECT_LE(C, 1);
      EXPECT_LE(erlang_c({.R = R + 1, .a = rho * static_cast<double>(R)}), C);
      last = C;
    }
    EXPECT_GT(last, 0.999);
    EXPECT_EQ(erlang_c({.R = R, .a = 0}), 0);
  }
}

// Waiting times -----------------------------------------------------------------------------------------------

TEST(WaitingTime, OfOneServerAndOneClassIsTheQueueMM1s)
{
  for (const double rho : {0.1, 0.5, 0.9, 0.999}) {
    const double mu = 4;
    const auto times = waiting_time({.R = 1, .mu = mu, .lambda = {rho * mu}});
    EXPECT_NEAR(times.W.at(0).count, rho / (mu - rho * mu), 1e-12 * times.W[0].count);
    EXPECT_DOUBLE_EQ(times.mean.count, times.W[0].count);
    EXPECT_DOUBLE_EQ(times.rho, rho);
    EXPECT_DOUBLE_EQ(times.C, rho);
  }
}

TEST(WaitingTime, OfOneServerAndTwoClassesIsCobhams)
{
  // lambda (E s^2 / 2) / ((1 - s_1) (1 - s_2)), with E s^2 = 2 / mu^2 of exponential times of service.
  const auto times = waiting_time({.R = 1, .mu = 1, .lambda = {0.25, 0.5}});
  EXPECT_DOUBLE_EQ(times.W.at(0).count, 0.75 / 0.75);
  EXPECT_DOUBLE_EQ(times.W.at(1).count, 0.75 / (0.75 * 0.25));
}

TEST(WaitingTime, OfOneClassIsTheQueueMMRs)
{
  const double mu = 0.5;
  const double lambda = 4.2;
  const auto times = waiting_time({.R = 10, .mu = mu, .lambda = {lambda}});
  EXPECT_NEAR(times.W.at(0).count, by_direct_sum(10, lambda / mu) / (10 * mu - lambda), 1e-12);
}

TEST(WaitingTime, IsThatOfTheMarkovChainItself)
{
  for (const auto& [R, lambda_1, lambda_2] : std::vector<std::tuple<int, double, double>>{
           {1, 0.2, 0.3}, {2, 0.7, 0.5}, {3, 0.2, 1.6}, {5, 2.5, 0.5}}) {
    SCOPED_TRACE(R);
    const double mu = 1;
    const auto [first, second] = by_markov_chain(R, mu, lambda_1, lambda_2, 70);
    const auto times = waiting_time({.R = R, .mu = mu, .lambda = {lambda_1, lambda_2}});
    EXPECT_NEAR(times.W.at(0).count, first, 1e-6 * first);
    EXPECT_NEAR(times.W.at(1).count, second, 1e-6 * second);
  }
}

TEST(WaitingTime, KeepsTheConservationLaw)
{
  // Whatever the order of service, the work that waits is the same: so is the mean, weighted by the rates.
  for (const std::int64_t R : {1, 4, 100, 3000}) {
    for (const double rho : {0.2, 0.9, 0.995}) {
      const auto all = rho * static_cast<double>(R) * 2.5;
      std::vector<double> lambda{0.1 * all, 0.4 * all, 0, 0.2 * all, 0.3 * all};
      const auto classes = waiting_time({.R = R, .mu = 2.5, .lambda = lambda});
      const auto sum = std::accumulate(lambda.begin(), lambda.end(), 0.0);
      const auto one = waiting_time({.R = R, .mu = 2.5, .lambda = {sum}});
      double weighted = 0;
      for (std::size_t i = 0; i < lambda.size(); ++i) weighted += lambda[i] / all * classes.W[i].count;
      EXPECT_NEAR(weighted, one.mean.count, 1e-11 * weighted) << R << " servers, load " << rho;
      EXPECT_NEAR(classes.mean.count, one.mean.count, 1e-11 * weighted);
    }
  }
}

TEST(WaitingTime, IsShorterInHigherClasses)
{
  const auto times = waiting_time({.R = 2000, .mu = 0.01, .lambda = {5, 5, 5, 4.9}});
  ASSERT_EQ(times.W.size(), 4u);
  for (std::size_t i = 1; i < times.W.size(); ++i) EXPECT_LT(times.W[i - 1].count, times.W[i].count);
  EXPECT_LT(times.W.front().count, times.mean.count);
  EXPECT_GT(times.W.back().count, times.mean.count);
}

TEST(WaitingTime, GrowsWithTheRequestsAsThePrintedFormulaDoesNot)
{
  double last = 0;
  for (const double lambda : {1.0, 2.0, 4.0, 4.9}) {
    const auto wait = waiting_time({.R = 5, .mu = 1, .lambda = {lambda}}).mean.count;
    EXPECT_GT(wait, last);
    last = wait;
  }
}

TEST(WaitingTime, IsZeroWhereNobodyComes)
{
  const auto times = waiting_time({.R = 3, .mu = 1, .lambda = {0, 0}});
  EXPECT_EQ(times.W, (std::vector<fastgpu::seconds>{fastgpu::seconds{0}, fastgpu::seconds{0}}));
  EXPECT_EQ(times.mean, fastgpu::seconds{0});
  EXPECT_EQ(times.rho, 0);
}

TEST(WaitingTime, OfAFirstClassDoesNotSeeHowManyComeAfterIt)
{
  // But for one that is being served: on a busy server the first class waits for its end alone.
  const auto few = waiting_time({.R = 1, .mu = 1, .lambda = {0.1, 0.85}});
  EXPECT_DOUBLE_EQ(few.W.at(0).count, 0.95 / 0.9);
}

TEST(Queue, RefusesWhatIsOutOfRange)
{
  support::expect_refused({
      {[] { (void)erlang_c({.R = 0, .a = 0}); }, "erlang_c: R = 0: expected at least 1"},
      {[] { (void)erlang_c({.R = -1, .a = 0}); }, "erlang_c: R = -1: "},
      {[] { (void)erlang_c({.R = 10'000'001, .a = 1}); }, "erlang_c: R = 10000001: expected at most 10000000"},
      {[] { (void)erlang_c({.R = 2, .a = -1}); }, "erlang_c: a = -1: "},
      {[] { (void)erlang_c({.R = 2, .a = nan}); }, "erlang_c: a = nan: "},
      {[] { (void)erlang_c({.R = 2, .a = inf}); }, "erlang_c: a = inf: "},
      {[] { (void)erlang_c({.R = 2, .a = 2}); }, "erlang_c: a = 2: expected less than R = 2"},
      {[] { (void)waiting_time({.R = 0, .mu = 1, .lambda = {1}}); }, "waiting_time: R = 0: "},
      {[] { (void)waiting_time({.R = std::int64_t{1} << 62, .mu = 1, .lambda = {1}}); }, "waiting_time: R = "},
      {[] { (void)waiting_time({.R = 1, .mu = 0, .lambda = {1}}); }, "waiting_time: mu = 0: "},
      {[] { (void)waiting_time({.R = 1, .mu = -1, .lambda = {1}}); }, "waiting_time: mu = -1: "},
      {[] { (void)waiting_time({.R = 1, .mu = nan, .lambda = {1}}); }, "waiting_time: mu = nan: "},
      {[] { (void)waiting_time({.R = 1, .mu = inf, .lambda = {1}}); }, "waiting_time: mu = inf: "},
      {[] { (void)waiting_time({.R = 1, .mu = 1}); }, "waiting_time: lambda = (): "},
      {[] { (void)waiting_time({.R = 1, .mu = 1, .lambda = {0.1, -0.1}}); }, "waiting_time: lambda_2 = -0.1: "},
      {[] { (void)waiting_time({.R = 1, .mu = 1, .lambda = {nan}}); }, "waiting_time: lambda_1 = nan: "},
      {[] { (void)waiting_time({.R = 1, .mu = 1, .lambda = {inf}}); }, "waiting_time: lambda_1 = inf: "},
      {[] { (void)waiting_time({.R = 2, .mu = 1, .lambda = {1, 1}}); }, "waiting_time: lambda / mu = 2: expected less"},
      {[] { (void)waiting_time({.R = 2, .mu = 1, .lambda = {0.5, 9}}); }, "waiting_time: lambda / mu = 9.5: "},
      {[] { (void)waiting_time({.R = 1, .mu = 1e-320, .lambda = {9e-321}}); }, "waiting_time: W_1 = inf: "},
  });
}

}  // namespace

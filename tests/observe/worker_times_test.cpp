#include "observe/worker_times.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

namespace {

using fastgpu::run_terms;
using fastgpu::detail::worker_times;

double total(const run_terms& t) { return t.start_s + t.execute_s + t.waiting_s + t.imbalance_s + t.aggregate_s; }

void expect_terms(const run_terms& t, double start, double execute, double waiting, double imbalance, double aggregate)
{
  EXPECT_NEAR(t.start_s, start, 1e-12);
  EXPECT_NEAR(t.execute_s, execute, 1e-12);
  EXPECT_NEAR(t.waiting_s, waiting, 1e-12);
  EXPECT_NEAR(t.imbalance_s, imbalance, 1e-12);
  EXPECT_NEAR(t.aggregate_s, aggregate, 1e-12);
}

TEST(WorkerTimes, OfOneWorker)
{
  worker_times times;
  times.add(1, 1, 9, 7);
  expect_terms(times.terms(10), 1, 7, 1, 0, 1);
}

TEST(WorkerTimes, AreMeansOverWorkers)
{
  worker_times times;
  times.add(1, 1, 9, 8);
  times.add(1, 2, 5, 2);
  expect_terms(times.terms(10), 1.5, 5, 0.5, 2, 1);
}

TEST(WorkerTimes, CountWhoHadNoBatchAsImbalance)
{
  worker_times times;
  times.add(2, 1, 9, 16);
  times.add_idle(2);
  expect_terms(times.terms(10), 1, 4, 0, 4, 1);
}

TEST(WorkerTimes, WithoutAnyBatchAreAllStart)
{
  worker_times times;
  expect_terms(times.terms(10), 10, 0, 0, 0, 0);
  times.add_idle(3);
  expect_terms(times.terms(10), 10, 0, 0, 0, 0);
}

TEST(WorkerTimes, JoinThoseOfALaterStart)
{
  worker_times others;
  others.add(1, 0, 2, 2);
  others.add_idle(1);
  worker_times times;
  times.add(2, 1, 5, 8);
  times.add(others, 1);
  const auto t = times.terms(6);
  expect_terms(t, 1, 2.5, 0, 1.5, 1);
  EXPECT_NEAR(total(t), 6, 1e-12);
}

TEST(WorkerTimes, KeepEstimatesInBounds)
{
  worker_times times;
  times.add(1, 1, 5, 99);
  times.add(1, 3, 2, 7);
  times.add(1, -1, 5, -4);
  expect_terms(times.terms(6), 4.0 / 3, 4.0 / 3, 5.0 / 3, 2.0 / 3, 1);
}

}  // namespace

#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <fastgpu/fastgpu.hpp>

#include "support/async_jobs.hpp"
#include "support/coroutine.hpp"
#include "support/failure_of.hpp"

/// @file
/// How failures come out of each kind of token.

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using fastgpu::async_value;
using fastgpu::errc;
using fastgpu::outcome;
using fastgpu::outcome_kind;
using fastgpu::run_options;
using support::failing;
using support::failure_of;
using support::long_time;
using support::number;
using support::run_coroutine;
using support::slow_number;
using support::thousand;
using support::total;

TEST(Async, ThrowsARunsFailureFromAFuture)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  auto future = fastgpu::async_reduce(cluster, thousand, failing, total, asio::bind_executor(io, asio::use_future));
  io.run();
  const auto why = failure_of([&] { (void)future.get(); });
  EXPECT_EQ(why.code, errc::kernel_failed);
  EXPECT_EQ(why.detail, "subtask 42 on device 0 (host:2): no such luck");
}

TEST(Async, ThrowsARunsFailureFromACoroutine)
{
  fastgpu::cluster cluster{"host:2"};
  run_coroutine([&]() -> asio::awaitable<void> {
    fastgpu::failure why;
    try {
      (void)co_await fastgpu::async_reduce(cluster, thousand, failing, total, asio::use_awaitable);
    } catch (const fastgpu::error& e) {
      why = e.why();
    }
    EXPECT_EQ(why.code, errc::kernel_failed);
    EXPECT_EQ(why.detail, "subtask 42 on device 0 (host:2): no such luck");
  });
}

TEST(Async, GivesARunsFailureAndSummaryToACallback)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  int called = 0;
  fastgpu::async_reduce(cluster, thousand, failing, total,
                        asio::bind_executor(io, [&](std::exception_ptr failed, async_value<std::uint64_t> value) {
                          ++called;
                          EXPECT_EQ(failure_of(failed).code, errc::kernel_failed);
                          EXPECT_FALSE(value.has_value());
                          EXPECT_EQ(value.summary().outcome, outcome_kind::failed);
                          EXPECT_EQ(value.summary().subtasks, 100u);
                        }));
  fastgpu::async_wait(fastgpu::execute(cluster, fastgpu::make_job(thousand, failing, fastgpu::reduced(total))),
                      asio::bind_executor(io, [&](outcome<std::uint64_t> ended) {
                        ++called;
                        EXPECT_EQ(ended.kind(), outcome_kind::failed);
                        EXPECT_EQ(failure_of([&] { (void)std::move(ended).get(); }).code, errc::kernel_failed);
                      }));
  io.run();
  EXPECT_EQ(called, 2);
}

TEST(Async, DeliversWhatTheStartRefusesThroughTheToken)
{
  fastgpu::cluster cluster{"host:2"};
  const auto least = fastgpu::minimum<std::uint64_t>{};
  asio::io_context io;

  auto future = fastgpu::async_reduce(cluster, 0, number, least, asio::bind_executor(io, asio::use_future));
  bool called = false;
  fastgpu::async_reduce(cluster, 0, number, least,
                        asio::bind_executor(io, [&](std::exception_ptr failed, async_value<std::uint64_t> value) {
                          called = true;
                          EXPECT_EQ(failure_of(failed).code, errc::empty_reduction);
                          EXPECT_FALSE(value.has_value());
                          EXPECT_EQ(value.summary().why.code, errc::empty_reduction);
                        }));
  EXPECT_FALSE(called);  // not from inside the call
  io.run();
  EXPECT_TRUE(called);
  EXPECT_EQ(failure_of([&] { (void)future.get(); }).code, errc::empty_reduction);

  std::vector<double> data(100);
  run_coroutine([&]() -> asio::awaitable<void> {
    std::error_code code;
    try {
      (void)co_await fastgpu::async_for_each(
          cluster, 100, [](std::uint64_t, fastgpu::in1<double>, fastgpu::out1<double>) {}, fastgpu::slices(data),
          fastgpu::gather(data), asio::use_awaitable);
    } catch (const fastgpu::error& e) {
      code = e.code();
    }
    EXPECT_EQ(code, errc::overlapping_data);
  });
}

TEST(Async, ReportsADeadline)
{
  fastgpu::cluster cluster{"host:2"};
  run_options options;
  options.deadline = 20ms;
  asio::io_context io;
  auto future = fastgpu::async_reduce(cluster, long_time, slow_number, total, options,
                                      asio::bind_executor(io, asio::use_future));
  io.run();
  EXPECT_EQ(failure_of([&] { (void)future.get(); }).code, errc::deadline_exceeded);
}

TEST(AsyncValueDeathTest, StopsWhoReadsAValueThatIsNotThere)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const async_value<int> none;
  EXPECT_DEATH((void)none.get(), "");
  EXPECT_DEATH((void)static_cast<int>(none), "");
}

}  // namespace

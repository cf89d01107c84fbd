#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <fastgpu/fastgpu.hpp>

#include "support/async_jobs.hpp"
#include "support/coroutine.hpp"
#include "support/failure_of.hpp"

/// @file
/// Each kind of completion token and handler.

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using fastgpu::async_value;
using fastgpu::errc;
using fastgpu::outcome;
using fastgpu::outcome_kind;
using support::failing;
using support::failure_of;
using support::number;
using support::run_coroutine;
using support::start;
using support::start_long;
using support::thousand;
using support::total;

TEST(Async, GivesAFuture)
{
  fastgpu::cluster cluster{"host:2"};
  auto future = fastgpu::async_reduce(cluster, 1000, number, total, asio::use_future);
  static_assert(std::is_same_v<decltype(future), std::future<async_value<std::uint64_t>>>);
  const auto value = future.get();
  EXPECT_EQ(value.get(), 499500u);
  EXPECT_EQ(static_cast<double>(value), 499500.0);
  EXPECT_EQ(value.summary().committed, 1000u);
}

TEST(Async, CompletesAFutureOnTheContextThatIsGiven)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  auto bound = fastgpu::async_reduce(cluster, 1000, number, total, asio::bind_executor(io, asio::use_future));
  auto given = fastgpu::async_aggregate(io.get_executor(), start(cluster), asio::use_future);
  EXPECT_EQ(bound.wait_for(20ms), std::future_status::timeout);
  EXPECT_EQ(given.wait_for(0ms), std::future_status::timeout);
  io.run();
  EXPECT_EQ(bound.get().get(), 499500u);
  EXPECT_EQ(given.get().get(), 499500u);
}

TEST(Async, IsAwaited)
{
  fastgpu::cluster cluster{"host:2"};
  run_coroutine([&]() -> asio::awaitable<void> {
    const std::uint64_t value = co_await fastgpu::async_reduce(cluster, 1000, number, total, asio::use_awaitable);
    EXPECT_EQ(value, 499500u);
    const auto full = co_await fastgpu::async_aggregate(start(cluster), asio::use_awaitable);
    EXPECT_EQ(*full, 499500u);
    EXPECT_EQ(full.summary().outcome, outcome_kind::done);
    auto ended = co_await fastgpu::async_wait(start(cluster), asio::use_awaitable);
    static_assert(std::is_same_v<decltype(ended), outcome<std::uint64_t>>);
    EXPECT_EQ(std::move(ended).get().get(), 499500u);
  });
}

TEST(Async, CallsBack)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  bool called = false;
  fastgpu::async_reduce(cluster, 1000, number, total,
                        asio::bind_executor(io, [&](std::exception_ptr failed, async_value<std::uint64_t> value) {
                          called = true;
                          EXPECT_FALSE(failed);
                          EXPECT_EQ(value.get(), 499500u);
                        }));
  EXPECT_FALSE(called);
  EXPECT_EQ(io.run(), 1u);
  EXPECT_TRUE(called);
}

TEST(Async, StartsADeferredOperationWhenItIsCalled)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  std::atomic<int> calls = 0;
  auto later = fastgpu::async_for_each(
      cluster, 1, [&](std::uint64_t) { ++calls; }, asio::deferred);
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(calls, 0);
  bool completed = false;
  std::move(later)(asio::bind_executor(io, [&](std::exception_ptr failed, async_value<void> value) {
    EXPECT_FALSE(failed);
    EXPECT_EQ(value.summary().committed, 1u);
    completed = true;
  }));
  io.run();
  EXPECT_TRUE(completed);
  EXPECT_EQ(calls, 1);
}

TEST(Async, DefersTheWaitForARun)
{
  fastgpu::cluster cluster{"host:2"};
  auto later = fastgpu::async_aggregate(start(cluster), asio::deferred);
  EXPECT_EQ(std::move(later)(asio::use_future).get().get(), 499500u);
  { const auto never = fastgpu::async_wait(start_long(cluster), asio::deferred); }  // cancels it

  auto mine = start_long(cluster);
  { const auto never = fastgpu::async_wait(mine, asio::deferred); }  // leaves it as it is
  EXPECT_FALSE(mine.wait_for(5ms));
}

TEST(Async, Detaches)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  std::atomic<std::uint64_t> calls = 0;
  fastgpu::async_for_each(cluster, 1000, [&](std::uint64_t) { ++calls; }, asio::bind_executor(io, asio::detached));
  fastgpu::async_reduce(cluster, thousand, failing, total, asio::bind_executor(io, asio::detached));
  io.run();
  EXPECT_EQ(calls, 1000u);
}

TEST(Async, TakesTuplesAndErasedHandlers)
{
  fastgpu::cluster cluster{"host:2"};
  run_coroutine([&]() -> asio::awaitable<void> {
    auto [failed, value] = co_await fastgpu::async_reduce(cluster, thousand, failing, total,
                                                          asio::as_tuple(asio::use_awaitable));
    EXPECT_EQ(failure_of(failed).code, errc::kernel_failed);
    EXPECT_FALSE(value.has_value());
  });
  asio::io_context io;
  std::uint64_t sum = 0;
  const auto handler = [&] {
    return asio::any_completion_handler<void(std::exception_ptr, async_value<std::uint64_t>)>{
        asio::bind_executor(io, [&](std::exception_ptr, async_value<std::uint64_t> value) { sum += value; })};
  };
  fastgpu::async_aggregate(io.get_executor(), start(cluster), handler());
  fastgpu::async_reduce(cluster, 1000, number, total, asio::bind_executor(io, handler()));
  io.run();
  EXPECT_EQ(sum, 999000u);
}

TEST(Async, TakesHandlersThatCanOnlyBeMoved)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  int called = 0;
  const auto handler = [&] {
    return asio::bind_executor(io, [&called, own = std::make_unique<int>(1)](auto&&...) { called += *own; });
  };
  fastgpu::async_wait(start(cluster), handler());
  fastgpu::async_aggregate(start(cluster), handler());
  fastgpu::async_reduce(cluster, 1000, number, total, handler());
  fastgpu::async_reduce(cluster, 0, number, fastgpu::minimum<std::uint64_t>{}, handler());  // cannot be started
  io.run();
  EXPECT_EQ(called, 4);
}

}  // namespace

#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>
#include <variant>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fastgpu/fastgpu.hpp>

#include "support/async_jobs.hpp"
#include "support/coroutine.hpp"
#include "support/failure_of.hpp"

/// @file
/// Operations that are cancelled through their tokens.

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using fastgpu::async_value;
using fastgpu::errc;
using fastgpu::outcome;
using fastgpu::outcome_kind;
using support::failure_of;
using support::long_time;
using support::number;
using support::run_coroutine;
using support::slow_number;
using support::start;
using support::start_long;
using support::total;

TEST(Async, IsCancelledThroughASlot)
{
  for (const auto type :
       {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
    fastgpu::cluster cluster{"host:2"};
    asio::io_context io;
    asio::cancellation_signal signal;
    int called = 0;
    const auto bind = [&](auto handler) {
      return asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io, std::move(handler)));
    };
    fastgpu::async_reduce(cluster, long_time, slow_number, total,
                          bind([&](std::exception_ptr failed, async_value<std::uint64_t> value) {
                            ++called;
                            EXPECT_EQ(failure_of(failed).code, errc::cancelled);
                            EXPECT_EQ(value.summary().outcome, outcome_kind::cancelled);
                          }));
    asio::steady_timer timer{io, 5ms};
    timer.async_wait([&](auto) { signal.emit(type); });
    io.run();
    EXPECT_EQ(called, 1);
    signal.emit(type);  // after completion: nothing

    io.restart();
    fastgpu::async_wait(start_long(cluster), bind([&](outcome<std::uint64_t> ended) {
                          ++called;
                          EXPECT_EQ(ended.kind(), outcome_kind::cancelled);
                        }));
    signal.emit(asio::cancellation_type::none);
    signal.emit(type);  // at once
    signal.emit(type);
    io.run();
    EXPECT_EQ(called, 2);
  }
}

TEST(Async, CompletesAsDoneWhenCancelledTooLate)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  asio::cancellation_signal signal;
  auto ended = start(cluster);
  (void)ended.wait_for(60s);
  int called = 0;
  const auto check = [&](outcome<std::uint64_t> as) {
    ++called;
    EXPECT_EQ(as.kind(), outcome_kind::done);
  };
  fastgpu::async_wait(std::move(ended),
                      asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io, check)));
  signal.emit(asio::cancellation_type::all);
  io.run();
  EXPECT_EQ(called, 1);
}

TEST(Async, IsCancelledByAwaitableOperators)
{
  using namespace asio::experimental::awaitable_operators;
  fastgpu::cluster cluster{"host:2"};
  run_coroutine([&]() -> asio::awaitable<void> {
    asio::steady_timer timer{co_await asio::this_coro::executor};
    timer.expires_after(10ms);
    const auto late = co_await (fastgpu::async_reduce(cluster, long_time, slow_number, total, asio::use_awaitable) ||
                                timer.async_wait(asio::use_awaitable));
    EXPECT_EQ(late.index(), 1u);

    timer.expires_after(1h);
    const auto soon = co_await (fastgpu::async_reduce(cluster, 1000, number, total, asio::use_awaitable) ||
                                timer.async_wait(asio::use_awaitable));
    EXPECT_EQ(soon.index(), 0u);
    EXPECT_EQ(std::get<0>(soon).get(), 499500u);

    const auto both = co_await (fastgpu::async_reduce(cluster, 1000, number, total, asio::use_awaitable) &&
                                fastgpu::async_wait(start(cluster), asio::use_awaitable));
    EXPECT_EQ(std::get<0>(both).get(), 499500u);
  });
}

}  // namespace

#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <fastgpu/fastgpu.hpp>

#include "support/async_jobs.hpp"

/// @file
/// Runs by the hundred, at once and one after the other.

namespace {

namespace asio = boost::asio;
using fastgpu::async_value;
using fastgpu::outcome;
using support::number;
using support::start;
using support::total;

TEST(Async, StandsTwoThousandTinyRuns)
{
  constexpr int runs = 2000;
  fastgpu::cluster cluster{"host:1*2"};
  asio::io_context io;
  std::uint64_t sum = 0;
  int called = 0;
  const auto strand = asio::make_strand(io);
  // A chain of batches of 20: those of a batch end in any order, the last to end starts the next.
  std::function<void()> next;
  const auto add = [&](std::exception_ptr failed, async_value<std::uint64_t> value) {
    ASSERT_FALSE(failed);
    sum += value;
    if (++called % 20 == 0 && called < runs) next();
  };
  next = [&] {
    for (int i = 0; i < 20; ++i) {
      fastgpu::async_reduce(cluster, 10, number, total, asio::bind_executor(strand, add));
    }
  };
  asio::post(strand, next);
  std::thread other{[&] { io.run(); }};
  io.run();
  other.join();
  EXPECT_EQ(called, runs);
  EXPECT_EQ(sum, 45u * runs);
}

TEST(Async, StandsManyCancelledRuns)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  std::array<int, 4> ends{};
  for (int i = 0; i < 300; ++i) {
    asio::cancellation_signal signal;
    const auto count = [&](outcome<std::uint64_t> ended) { ++ends[static_cast<std::size_t>(ended.kind())]; };
    fastgpu::async_wait(start(cluster, 100),
                        asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io, count)));
    if (i % 3 == 0) std::this_thread::yield();
    signal.emit(asio::cancellation_type::terminal);
    io.run();
    io.restart();
  }
  EXPECT_EQ(ends[0] + ends[2], 300);
}

}  // namespace

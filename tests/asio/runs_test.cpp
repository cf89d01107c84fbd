#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <fastgpu/fastgpu.hpp>

#include "support/async_jobs.hpp"

/// @file
/// Waiting for runs that the caller started, and what a run holds.

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using fastgpu::async_value;
using fastgpu::outcome;
using fastgpu::outcome_kind;
using fastgpu::run_options;
using support::number;
using support::start;
using support::start_long;
using support::total;

TEST(Async, TakesARunThatHasEnded)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  auto ended = start(cluster);
  (void)ended.wait_for(60s);
  auto nothing = start(cluster, 0);
  EXPECT_TRUE(nothing.finished());
  std::uint64_t sum = 1;
  int called = 0;
  const auto add = [&](std::exception_ptr failed, async_value<std::uint64_t> value) {
    EXPECT_FALSE(failed);
    sum += value;
    ++called;
  };
  fastgpu::async_aggregate(std::move(ended), asio::bind_executor(io, add));
  fastgpu::async_aggregate(std::move(nothing), asio::bind_executor(io, add));
  EXPECT_EQ(called, 0);  // not from inside the call
  io.run();
  EXPECT_EQ(called, 2);
  EXPECT_EQ(sum, 499501u);
}

TEST(Async, LeavesARunThatHasANameToTheCaller)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  run_options options;
  options.trace = true;
  auto mine = start(cluster, 1000, options);
  int called = 0;
  const auto check = [&](std::exception_ptr, async_value<std::uint64_t> value) {
    ++called;
    EXPECT_EQ(value.get(), 499500u);
  };
  fastgpu::async_aggregate(mine, asio::bind_executor(io, check));
  fastgpu::async_aggregate(mine, asio::bind_executor(io, check));  // more than one may wait
  io.run();
  EXPECT_EQ(called, 2);
  EXPECT_TRUE(mine.finished());
  EXPECT_EQ(mine.progress().done, mine.progress().total);
  EXPECT_NE(mine.trace_json().find("traceEvents"), std::string::npos);

  called = 0;
  {
    auto cut_short = start_long(cluster);
    fastgpu::async_wait(cut_short, asio::bind_executor(io, [&](outcome<std::uint64_t> ended) {
                          ++called;
                          EXPECT_EQ(ended.kind(), outcome_kind::cancelled);
                        }));
  }
  io.restart();
  io.run();
  EXPECT_EQ(called, 1);
}

TEST(Async, NeedsTheClusterForTheStartOnly)
{
  asio::io_context io;
  std::uint64_t sum = 0;
  for (int i = 0; i < 50; ++i) {
    fastgpu::cluster cluster{"host:2"};
    fastgpu::async_reduce(cluster, 1000, number, total,
                          asio::bind_executor(io, [&](std::exception_ptr, async_value<std::uint64_t> value) {
                            sum += value;
                          }));
  }
  io.run();  // the last to refer to a cluster's threads: joins them
  EXPECT_EQ(sum, 50 * 499500u);
}

TEST(Async, LetsGoOfMovedDataBeforeTheHandlerIsCalled)
{
  fastgpu::cluster cluster{"host:1"};
  asio::io_context io;
  struct owner {
    std::shared_ptr<std::vector<int>> elements;
    int* data() const { return elements->data(); }
    std::size_t size() const { return elements->size(); }
  };
  auto elements = std::make_shared<std::vector<int>>(100, 3);
  const std::weak_ptr<std::vector<int>> watched{elements};
  auto future = fastgpu::async_map_reduce(cluster, owner{std::move(elements)}, [](int x) { return x; },
                                          fastgpu::sum<int>{}, asio::bind_executor(io, asio::use_future));
  io.run();
  EXPECT_EQ(future.get().get(), 300);
  EXPECT_TRUE(watched.expired());
}

}  // namespace

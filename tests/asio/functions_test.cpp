#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <span>
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

/// @file
/// The asynchronous form of each function, and its arguments.

namespace {

namespace asio = boost::asio;
using fastgpu::async_value;
using fastgpu::run_options;
using support::number;
using support::run_coroutine;
using support::total;

TEST(Async, HasAFormOfEachFunction)
{
  fastgpu::cluster cluster{"host:2"};
  const run_options fixed{.batches = fastgpu::batching::fixed(1)};
  const auto distance = [](std::uint64_t i) { return i < 700 ? 700 - i : i - 700; };

  for (const bool with_options : {false, true}) {
    const auto call = [&](auto f, auto&&... args) {
      return with_options ? f(std::forward<decltype(args)>(args)..., fixed, asio::use_future)
                          : f(std::forward<decltype(args)>(args)..., asio::use_future);
    };
    const auto least = call([&](auto&&... a) { return fastgpu::async_arg_min(cluster, a...); }, 1000, distance).get();
    EXPECT_EQ(least->index, 700u);
    EXPECT_EQ(least->value, 0u);
    const auto most = call([&](auto&&... a) { return fastgpu::async_arg_max(cluster, a...); }, 1000, distance).get();
    EXPECT_EQ(most->index, 0u);
    EXPECT_EQ(most->value, 700u);

    const auto thirds = [](std::uint64_t i) { return i % 3; };
    const auto bins = call([&](auto&&... a) { return fastgpu::async_histogram(cluster, a...); }, 1000, 3, thirds).get();
    EXPECT_EQ(bins.get(), (std::vector<std::uint64_t>{334, 333, 333}));

    std::vector<double> halves(1000);
    const auto half = [](std::uint64_t i) { return 0.5 * static_cast<double>(i); };
    (void)call([&](auto&&... a) { return fastgpu::async_transform(cluster, halves, a...); }, half).get();
    EXPECT_EQ(halves.at(999), 499.5);

    const auto twice = [](double x) { return 2 * x; };
    const auto sum = call([&](auto&&... a) { return fastgpu::async_map_reduce(cluster, halves, a...); }, twice,
                          fastgpu::sum<double>{})
                         .get();
    EXPECT_EQ(sum.get(), 499500.0);

    EXPECT_EQ(call([&](auto&&... a) { return fastgpu::async_reduce(cluster, a...); }, 1000, number, total).get().get(),
              499500u);
  }
}

TEST(Async, PassesArgumentsToForEach)
{
  fastgpu::cluster cluster{"host:2"};
  std::vector<std::int64_t> out(100);
  std::vector<std::int64_t> table(100, 7);
  const auto add = [](std::uint64_t i, fastgpu::in1<std::int64_t> in, std::int64_t plus,
                      fastgpu::out1<std::int64_t> to) {
    const auto at = static_cast<std::int64_t>(i);
    to(at) = in(at) + plus;
  };
  asio::io_context io;
  auto token = asio::bind_executor(io, asio::use_future);  // an lvalue will do
  auto done = fastgpu::async_for_each(cluster, 100, add, fastgpu::slices(table), std::int64_t{1}, fastgpu::gather(out),
                                      token);
  io.run();
  done.get();
  EXPECT_EQ(out, std::vector<std::int64_t>(100, 8));

  const run_options options{.batches = fastgpu::batching::fixed(1)};
  done = fastgpu::async_for_each(cluster, options, 100, add, fastgpu::slices(std::move(table)), std::int64_t{2},
                                 fastgpu::gather(out), token);
  io.restart();
  io.run();
  done.get();
  EXPECT_EQ(out, std::vector<std::int64_t>(100, 9));
}

TEST(Async, MovesATemporaryInAndBorrowsWhatHasAName)
{
  fastgpu::cluster cluster{"host:2"};
  std::vector<int> named(1000, 2);
  std::optional<asio::awaitable<async_value<int>>> temporary;
  std::optional<asio::awaitable<async_value<int>>> borrowed;
  const auto same = [](int x) { return x; };
  temporary.emplace(fastgpu::async_map_reduce(cluster, std::vector<int>(1000, 1), same, fastgpu::sum<int>{},
                                              asio::use_awaitable));
  {
    const std::span<const int> view{named};  // the view may go, the elements not
    borrowed.emplace(fastgpu::async_map_reduce(cluster, view, same, fastgpu::sum<int>{}, asio::use_awaitable));
  }
  run_coroutine([&]() -> asio::awaitable<void> {
    EXPECT_EQ((co_await std::move(*temporary)).get(), 1000);
    EXPECT_EQ((co_await std::move(*borrowed)).get(), 2000);
  });
}

}  // namespace

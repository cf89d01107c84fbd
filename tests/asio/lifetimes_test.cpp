#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fastgpu/fastgpu.hpp>

#include "support/async_jobs.hpp"

/// @file
/// Contexts that are destroyed before the runs have ended that are waited for there.

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using fastgpu::outcome_kind;
using support::long_time;
using support::number;
using support::slow_number;
using support::start;
using support::start_long;
using support::total;

/// What a handler owns, to see whether it was called and whether it was destroyed.
struct witness {
  explicit witness(int& destroyed) : destroyed_{&destroyed} {}
  witness(witness&& other) noexcept : destroyed_{std::exchange(other.destroyed_, nullptr)} {}
  ~witness()
  {
    if (destroyed_ != nullptr) ++*destroyed_;
  }
  int* destroyed_;
};

TEST(Async, OutlivesItsContext)
{
  fastgpu::cluster cluster{"host:2"};
  fastgpu::cluster idle{"host:1"};
  int called = 0;
  int destroyed = 0;
  auto mine = start_long(cluster);
  {
    asio::io_context io;
    const auto handler = [&] { return asio::bind_executor(io, [&, w = witness{destroyed}](auto&&...) { ++called; }); };
    fastgpu::async_wait(mine, handler());
    fastgpu::async_wait(start_long(cluster), handler());
    fastgpu::async_reduce(cluster, long_time, slow_number, total, handler());
    fastgpu::async_wait(asio::make_strand(io), start_long(cluster), handler());
    fastgpu::async_reduce(cluster, 0, number, fastgpu::minimum<std::uint64_t>{}, handler());  // posted, never run
    auto ended = start(idle);
    (void)ended.wait_for(60s);
    fastgpu::async_wait(std::move(ended), handler());  // likewise
    io.poll_one();
    EXPECT_EQ(called, 1);
  }
  EXPECT_EQ(called, 1);
  EXPECT_EQ(destroyed, 6);
  EXPECT_TRUE(mine.finished());
  EXPECT_EQ(mine.wait().kind(), outcome_kind::cancelled);
  EXPECT_EQ(fastgpu::aggregate(start(cluster)).get(), 499500u);  // the cluster is as it was
}

TEST(Async, OutlivesTheContextOfItsCoroutine)
{
  int destroyed = 0;
  for (int i = 0; i < 5; ++i) {
    asio::io_context io;
    asio::co_spawn(
        io,
        [&, w = witness{destroyed}]() -> asio::awaitable<void> {
          fastgpu::cluster cluster{"host:2"};  // goes with the coroutine, by the thread that destroys the context
          (void)co_await fastgpu::async_reduce(cluster, long_time, slow_number, total, asio::use_awaitable);
          ADD_FAILURE() << "resumed";
        },
        asio::detached);
    io.run_for(std::chrono::milliseconds{i});
  }
  EXPECT_EQ(destroyed, 5);
}

TEST(Async, OutlivesItsContextWhileRunsAreEnding)
{
  fastgpu::cluster cluster{"host:2"};
  for (int i = 0; i < 100; ++i) {
    int destroyed = 0;
    std::optional<asio::io_context> io;
    io.emplace();
    for (int k = 0; k < 4; ++k) {
      fastgpu::async_reduce(cluster, 100, number, total,
                            asio::bind_executor(*io, [w = witness{destroyed}](auto&&...) {}));
    }
    if (i % 2 == 0) io->poll();
    io.reset();
    EXPECT_EQ(destroyed, 4);
  }
}

TEST(Async, OutlivesAThreadPool)
{
  fastgpu::cluster cluster{"host:2"};
  int destroyed = 0;
  {
    asio::thread_pool pool{1};
    fastgpu::async_wait(start_long(cluster), asio::bind_executor(pool, [w = witness{destroyed}](auto&&...) {}));
    pool.stop();
  }
  EXPECT_EQ(destroyed, 1);
}

}  // namespace

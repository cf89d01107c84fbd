#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_allocator.hpp>
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
/// On which threads and executors handlers are called.

namespace {

namespace asio = boost::asio;
using fastgpu::async_value;
using fastgpu::outcome;
using fastgpu::outcome_kind;
using support::number;
using support::slow_number;
using support::start;
using support::total;

/// The threads of a cluster, told by its thread-start hook.
class library_threads {
 public:
  [[nodiscard]] fastgpu::cluster_options options(std::string devices)
  {
    return {.devices = std::move(devices), .thread_start = &note, .thread_context = this};
  }
  [[nodiscard]] bool contain_this() const
  {
    const std::scoped_lock lock{mutex_};
    return threads_.contains(std::this_thread::get_id());
  }

 private:
  static void note(void* context, fastgpu::device_id, std::uint32_t)
  {
    auto& self = *static_cast<library_threads*>(context);
    const std::scoped_lock lock{self.mutex_};
    self.threads_.insert(std::this_thread::get_id());
  }
  mutable std::mutex mutex_;
  std::set<std::thread::id> threads_;  // guarded by mutex_
};

TEST(Async, CallsTheHandlerOnItsExecutorAndNeverOnALibraryThread)
{
  library_threads ours;
  fastgpu::cluster cluster{ours.options("host:2")};
  asio::thread_pool pool{3};
  const auto strand = asio::make_strand(pool);
  int sum = 0;  // guarded by strand
  std::atomic<int> elsewhere = 0;
  std::atomic<int> on_ours = 0;
  constexpr int runs = 200;
  for (int i = 0; i < runs; ++i) {
    fastgpu::async_wait(start(cluster, 10), asio::bind_executor(strand, [&](outcome<std::uint64_t> ended) {
                          if (!strand.running_in_this_thread()) ++elsewhere;
                          if (ours.contain_this()) ++on_ours;
                          sum += ended.kind() == outcome_kind::done;
                        }));
  }
  pool.join();
  EXPECT_EQ(sum, runs);
  EXPECT_EQ(elsewhere, 0);
  EXPECT_EQ(on_ours, 0);
}

TEST(Async, CallsBackOnSystemThreadsWithoutAnExecutor)
{
  library_threads ours;
  fastgpu::cluster cluster{ours.options("host:2")};
  std::promise<bool> on_ours;
  fastgpu::async_wait(start(cluster), [&](outcome<std::uint64_t> ended) {
    EXPECT_TRUE(ended);
    on_ours.set_value(ours.contain_this());
  });
  EXPECT_FALSE(on_ours.get_future().get());
}

TEST(Async, GoesByWayOfTheGivenExecutorToTheHandlersOwn)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context way;
  asio::io_context own;
  int called = 0;
  fastgpu::async_aggregate(way.get_executor(), start(cluster), asio::bind_executor(own, [&](auto&&...) { ++called; }));
  fastgpu::async_wait(way.get_executor(), start(cluster), asio::bind_executor(own, [&](auto&&...) { ++called; }));
  fastgpu::async_wait(asio::any_io_executor{way.get_executor()}, start(cluster), [&](auto&&...) { called += 10; });
  way.run();
  EXPECT_EQ(called, 10);
  own.run();
  EXPECT_EQ(called, 12);
}

TEST(Async, KeepsTheContextFromRunningOutOfWork)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  const auto job = fastgpu::make_job(fastgpu::space(40, fastgpu::by_size{1}), slow_number, fastgpu::reduced(total));
  bool called = false;
  fastgpu::async_wait(fastgpu::execute(cluster, job), asio::bind_executor(io, [&](auto&&...) { called = true; }));
  io.run();
  EXPECT_TRUE(called);
}

TEST(Async, RunsSeveralAtOnceOnOneContext)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  std::vector<std::uint64_t> sums;
  for (std::int64_t n = 1; n <= 50; ++n) {
    asio::co_spawn(
        io,
        [&, n]() -> asio::awaitable<void> {
          for (int round = 0; round < 3; ++round) {
            sums.push_back(co_await fastgpu::async_reduce(cluster, n, number, total, asio::use_awaitable));
          }
        },
        asio::detached);
  }
  io.run();
  EXPECT_EQ(sums.size(), 150u);
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), std::uint64_t{0}), 3 * 20825u);
}

TEST(Async, MayBeStartedFromSeveralThreads)
{
  fastgpu::cluster cluster{"host:2"};
  asio::thread_pool pool{2};
  std::atomic<std::uint64_t> sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        fastgpu::async_reduce(cluster, 100, number, total,
                              asio::bind_executor(pool, [&](std::exception_ptr, async_value<std::uint64_t> value) {
                                sum += value.get();
                              }));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  pool.join();
  EXPECT_EQ(sum, 3 * 50 * 4950u);
}

/// Counts what is allocated and not given back.
template <class T>
struct counting_allocator {
  using value_type = T;
  std::atomic<int>* live;
  std::atomic<int>* ever;
  counting_allocator(std::atomic<int>* l, std::atomic<int>* e) : live{l}, ever{e} {}
  template <class U>
  counting_allocator(const counting_allocator<U>& other) : live{other.live}, ever{other.ever}
  {
  }
  T* allocate(std::size_t n)
  {
    ++*live;
    ++*ever;
    return std::allocator<T>{}.allocate(n);
  }
  void deallocate(T* at, std::size_t n)
  {
    --*live;
    std::allocator<T>{}.deallocate(at, n);
  }
  friend bool operator==(const counting_allocator&, const counting_allocator&) = default;
};

TEST(Async, GivesTheHandlersMemoryBackBeforeCallingIt)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  std::atomic<int> live = 0;
  std::atomic<int> ever = 0;
  int then = -1;
  const auto handler = [&](auto&&...) { then = live; };
  fastgpu::async_wait(start(cluster), asio::bind_allocator(counting_allocator<std::byte>{&live, &ever},
                                                           asio::bind_executor(io, handler)));
  EXPECT_GE(live, 1);
  io.run();
  EXPECT_GE(ever, 1);
  EXPECT_EQ(then, 0);
}

TEST(Async, PassesAHandlersExceptionToWhoRunsTheContext)
{
  fastgpu::cluster cluster{"host:2"};
  asio::io_context io;
  fastgpu::async_wait(start(cluster), asio::bind_executor(io, [](auto&&...) { throw std::logic_error{"mine"}; }));
  EXPECT_THROW(io.run(), std::logic_error);
}

}  // namespace

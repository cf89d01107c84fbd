#include <fastgpu/asio/asio.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <fastgpu/fastgpu.hpp>

// Thread sanitizer does not see the reference count of exceptions, which is inside the C++ run-time library. So that it
// need not, threads that share one meet before either lets go of it.

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using fastgpu::async_value;
using fastgpu::errc;
using fastgpu::outcome;
using fastgpu::outcome_kind;
using fastgpu::run_options;
using clock = std::chrono::steady_clock;

constexpr auto number = [](std::uint64_t i) { return i; };
constexpr auto total = fastgpu::sum<std::uint64_t>{};

/// Sleeps a millisecond an index, so that cancelling is quick; nobody waits for all of them.
constexpr auto slow = [](std::uint64_t i) {
  std::this_thread::sleep_for(1ms);
  return i;
};
const auto long_time = fastgpu::space(1'000'000, fastgpu::by_size{1});

constexpr auto failing = [](std::uint64_t i) -> std::uint64_t {
  if (i == 427) throw std::runtime_error{"no such luck"};
  return i;
};
const auto thousand = fastgpu::space(1000, fastgpu::by_size{10});

auto start(fastgpu::cluster& on, std::int64_t n = 1000, const run_options& options = {})
{
  return fastgpu::execute(on, fastgpu::make_job(n, number, fastgpu::reduced(total)), options);
}
auto start_long(fastgpu::cluster& on, const run_options& options = {})
{
  return fastgpu::execute(on, fastgpu::make_job(long_time, slow, fastgpu::reduced(total)), options);
}

template <class F>
fastgpu::failure failure_of(F f)
{
  try {
    f();
  } catch (const fastgpu::error& e) {
    return e.why();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}
fastgpu::failure failure_of(const std::exception_ptr& failed)
{
  return failure_of([&] {
    if (failed) std::rethrow_exception(failed);
  });
}

/// Runs a coroutine to its end on a context of its own; passes on its exception.
template <class F>
void run_coroutine(F f)
{
  asio::io_context io;
  std::exception_ptr failed;
  asio::co_spawn(io, std::move(f), [&](std::exception_ptr e) { failed = std::move(e); });
  io.run();
  if (failed) std::rethrow_exception(failed);
}

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

// Each token -------------------------------------------------------------------------------------------------------

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

// Functions --------------------------------------------------------------------------------------------------------

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

// Errors -----------------------------------------------------------------------------------------------------------

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
  auto future = fastgpu::async_reduce(cluster, long_time, slow, total, options,
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

// Executors --------------------------------------------------------------------------------------------------------

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
  const auto job = fastgpu::make_job(fastgpu::space(40, fastgpu::by_size{1}), slow, fastgpu::reduced(total));
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

// Runs -------------------------------------------------------------------------------------------------------------

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

// Cancellation -----------------------------------------------------------------------------------------------------

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
    fastgpu::async_reduce(cluster, long_time, slow, total,
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
    const auto late = co_await (fastgpu::async_reduce(cluster, long_time, slow, total, asio::use_awaitable) ||
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

// Contexts that go before the run ----------------------------------------------------------------------------------

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
    fastgpu::async_reduce(cluster, long_time, slow, total, handler());
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
          (void)co_await fastgpu::async_reduce(cluster, long_time, slow, total, asio::use_awaitable);
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

// Many -------------------------------------------------------------------------------------------------------------

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

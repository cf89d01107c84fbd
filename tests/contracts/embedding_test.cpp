#include <gtest/gtest.h>

#include <csignal>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory_resource>
#include <string>
#include <thread>
#include <vector>

#include <fastgpu/cluster/memory_resource.hpp>
#include <fastgpu/fastgpu.hpp>
#include <fastgpu/observe/log.hpp>

/// @file
/// What a program that embeds the library may rely on.

namespace {

std::size_t threads()
{
  const std::filesystem::directory_iterator tasks{"/proc/self/task"};
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

void run_something(fastgpu::cluster& cluster)
{
  EXPECT_EQ(fastgpu::reduce(
                cluster, 100, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{})
                .get(),
            4950u);
}

TEST(Embedding, StartsNoThreadBeforeTheFirstClusterAndLeavesNone)
{
  std::thread{[] {}}.join();  // a sanitizer starts a thread of its own beside the first
  const auto before = threads();
  const auto job = fastgpu::make_job(10, [](std::uint64_t) {});
  EXPECT_EQ(fastgpu::decompose(job).size(), 10u);
  EXPECT_EQ(threads(), before);
  {
    fastgpu::cluster cluster{"host:3"};
    run_something(cluster);
    EXPECT_EQ(threads(), before + 4);  // three workers and the timer
  }
  // The kernel may need a moment to take a joined thread off its list.
  for (int i = 0; i < 1000 && threads() != before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  EXPECT_EQ(threads(), before);
}

TEST(Embedding, TouchesNeitherSignalHandlersNorTheEnvironment)
{
  const auto handlers = [] {
    std::vector<void*> all;
    for (int s = 1; s < 65; ++s) {
      struct sigaction action {};
      if (::sigaction(s, nullptr, &action) == 0) all.push_back(reinterpret_cast<void*>(action.sa_handler));
    }
    return all;
  };
  const auto variables = [] {
    std::vector<std::string> all;
    for (char** v = environ; *v != nullptr; ++v) all.emplace_back(*v);
    return all;
  };
  const auto handlers_before = handlers();
  const auto variables_before = variables();
  {
    fastgpu::cluster cluster{"host:2"};
    run_something(cluster);
    EXPECT_EQ(handlers(), handlers_before);
  }
  EXPECT_EQ(handlers(), handlers_before);
  EXPECT_EQ(variables(), variables_before);
}

TEST(Embedding, CallsTheThreadStartHookOnEveryWorker)
{
  std::atomic<int> calls = 0;
  fastgpu::cluster_options options;
  options.devices = "host:2,host:1";
  options.thread_context = &calls;
  options.thread_start = [](void* context, fastgpu::device_id, std::uint32_t) {
    ++*static_cast<std::atomic<int>*>(context);
  };
  {
    fastgpu::cluster cluster{options};
    run_something(cluster);
  }
  EXPECT_EQ(calls, 3);
}

/// Counts what it gives and takes back.
class counting_resource : public std::pmr::memory_resource {
 public:
  std::atomic<std::size_t> given = 0;
  std::atomic<std::size_t> out = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override
  {
    given += bytes;
    out += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override
  {
    out -= bytes;
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

TEST(Embedding, TakesMemoryForPartialsFromTheResourceThatWasGiven)
{
  counting_resource resource;
  fastgpu::pmr_memory_source memory{resource};
  {
    fastgpu::cluster cluster{fastgpu::cluster_options{.devices = "host:2", .memory = &memory}};
    const auto bins = fastgpu::histogram(cluster, 100000, 1 << 16, [](std::uint64_t i) { return i & 0xffff; });
    EXPECT_EQ(bins.get()[1], 2u);
    const auto sum = fastgpu::reduce(cluster, 1000, [](std::uint64_t) { return 0.5; }, fastgpu::sum<double>{});
    EXPECT_EQ(sum.get(), 500.0);
  }
  EXPECT_GE(resource.given, std::size_t{8} << 16);
  EXPECT_EQ(resource.out, 0u);
}

TEST(Embedding, SendsItsLogToTheSinkThatWasGiven)
{
  std::vector<std::string> lines;
  fastgpu::set_log(
      fastgpu::log_level::warning,
      [](void* to, fastgpu::log_level, std::string_view line) {
        static_cast<std::vector<std::string>*>(to)->emplace_back(line);
      },
      &lines);
  for (std::uint64_t seed = 0; seed < 50 && lines.empty(); ++seed) {
    fastgpu::cluster cluster{"host:1,faulty:" + std::to_string(seed)};
    (void)fastgpu::execute(
        cluster,
        fastgpu::make_job(fastgpu::space(600, fastgpu::by_size{1}),
                          [](std::uint64_t) { std::this_thread::sleep_for(std::chrono::microseconds{5}); }),
        {.batches = fastgpu::batching::fixed(1)})
        .wait();
  }
  fastgpu::set_log(fastgpu::log_level::warning);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.front().find("device 1 (faulty:"), 0u) << lines.front();
}

using EmbeddingDeathTest = testing::Test;

TEST(EmbeddingDeathTest, StopsWhereAContractIsBroken)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const fastgpu::space<1> ten{10};
  EXPECT_DEATH((void)fastgpu::decompose(ten)[10], "");
  EXPECT_DEATH((void)fastgpu::matrix(static_cast<int*>(nullptr), -1, 2), "");
  std::vector<int> data(4);
  EXPECT_DEATH((void)fastgpu::slices(data, -1, fastgpu::border::replicate), "");
  EXPECT_DEATH((void)fastgpu::reduced(fastgpu::sum<double>{}, 0), "");
  EXPECT_DEATH(
      {
        fastgpu::cluster cluster{"host:1"};
        auto gone = std::move(cluster);
        run_something(cluster);
      },
      "");
}

TEST(Embedding, MatchesTheLabelsThatAClusterWasGiven)
{
  fastgpu::cluster cluster{fastgpu::cluster_options{.devices = "host:1", .labels = {"rack7"}}};
  const auto job = fastgpu::make_job(10, [](std::uint64_t) {});
  EXPECT_TRUE(static_cast<bool>(fastgpu::execute(cluster, job, {.need = {.labels = {"rack7"}}}).wait()));
  EXPECT_THROW((void)fastgpu::execute(cluster, job, {.need = {.labels = {"rack8"}}}), fastgpu::error);
}

TEST(Embedding, RefusesSpacesThatAreNegativeOrTooLong)
{
  EXPECT_THROW((void)fastgpu::space{-1}, fastgpu::error);
  EXPECT_THROW((void)fastgpu::space{std::numeric_limits<std::uint64_t>::max()}, fastgpu::error);
}

TEST(Embedding, RefusesArgumentsThatDoNotFitAndNamesThem)
{
  const auto code_of = [](auto make) {
    try {
      make();
    } catch (const fastgpu::error& e) {
      return std::string{e.what()};
    }
    return std::string{"nothing was thrown"};
  };
  std::vector<float> in(10), out(10);
  const auto copy = [](std::uint64_t i, fastgpu::in1<float> from, fastgpu::out1<float> to) {
    to[static_cast<std::int64_t>(i)] = from[static_cast<std::int64_t>(i)];
  };
  EXPECT_EQ(code_of([&] { (void)fastgpu::make_job(9, copy, fastgpu::slices(in), fastgpu::gather(out)); }),
            "argument 0 (slices) has 10 elements in dimension 0, the iteration space 9");
  EXPECT_EQ(code_of([&] { (void)fastgpu::make_job(10, copy, fastgpu::slices(in), fastgpu::gather(in)); }),
            "argument 1 (gather) overlaps argument 0");
  EXPECT_EQ(code_of([&] { (void)fastgpu::make_job(11, [](std::uint64_t, fastgpu::out1<float>) {}, fastgpu::gather(out)); }),
            "argument 0 (gather) has 10 elements in dimension 0, the iteration space 11");
  EXPECT_EQ(code_of([&] { (void)fastgpu::make_job(11, [](std::uint64_t, fastgpu::out1<float>) {}, fastgpu::scatter(out)); }),
            "nothing was thrown");
  fastgpu::data_view<float, 1> nothing{nullptr, fastgpu::extents<1>{{10}}};
  EXPECT_EQ(code_of([&] { (void)fastgpu::make_job(10, copy, fastgpu::slices(in), fastgpu::gather(nothing)); }),
            "argument 1 has elements and a null pointer");
  fastgpu::data_view<float, 1> on_gpu{in.data(), fastgpu::extents<1>{{10}}, {fastgpu::memory_kind::device, 0}};
  fastgpu::cluster cluster{"host:1"};
  EXPECT_EQ(code_of([&] {
              (void)fastgpu::execute(cluster,
                                     fastgpu::make_job(10, copy, fastgpu::slices(on_gpu), fastgpu::gather(out)));
            }),
            "argument 0 lies in GPU memory, which device 0 (host:1) cannot read");
}

}  // namespace

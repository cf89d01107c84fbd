#include "support/emulated_backend.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "cuda/cuda_device.hpp"
#include "support/device_cluster.hpp"
#include "support/rendezvous.hpp"
#include "support/splitmix.hpp"

/// @file
/// Runs whose GPUs reduce among themselves: the value is the host's, whatever happens on the way.

namespace {

using fastgpu::by_size;
using fastgpu::outcome_kind;
using fastgpu::reduction;
using fastgpu::run_summary;
using fastgpu::space;
using fastgpu::detail::cluster_core;
using fastgpu::detail::member_id;
using fastgpu::detail::ref;
using support::rank_fault;

/// GPUs that can meet. Of each the faults.
class gpus {
 public:
  explicit gpus(const std::vector<support::gpu_faults>& faults, std::uint64_t bytes_min = 1, std::uint32_t lanes = 3)
      : core_{make(faults, bytes_min, lanes)}
  {
  }

  template <class Value, int N>
  fastgpu::run<Value> start(const fastgpu::job<Value, N>& job, fastgpu::run_options options = {})
  {
    options.policy = fastgpu::equal{};
    return support::start(core_, job, options);
  }
  [[nodiscard]] support::rendezvous& meet() { return *meet_; }
  void take_library_away() { *library_ = false; }

 private:
  ref<cluster_core> make(const std::vector<support::gpu_faults>& faults, std::uint64_t bytes_min, std::uint32_t lanes)
  {
    fastgpu::cluster_options options;
    options.devices = "fakes";
    options.gpu.lanes = lanes;
    options.gpu.reduce_bytes_min = bytes_min;
    std::vector<std::unique_ptr<fastgpu::detail::device>> devices;
    for (std::uint32_t d = 0; d < faults.size(); ++d) {
      const auto maker = [meet = meet_, library = library_](fastgpu::detail::gpu& on) {
        auto made = std::make_unique<support::host_communicators>(*meet, on);
        if (!*library) made->take_away();
        return made;
      };
      devices.push_back(std::make_unique<fastgpu::detail::cuda_device>(
          fastgpu::device_id{d}, std::make_unique<support::fake_gpu>(faults[d]), "fake:" + std::to_string(d),
          options.gpu, maker));
    }
    return ref<cluster_core>{new cluster_core{std::move(devices), options}};
  }

  std::shared_ptr<support::rendezvous> meet_ = std::make_shared<support::rendezvous>();
  std::shared_ptr<bool> library_ = std::make_shared<bool>(true);
  ref<cluster_core> core_;
};

std::vector<support::gpu_faults> seeds(std::uint64_t first, std::size_t count)
{
  std::vector<support::gpu_faults> faults(count);
  for (auto& f : faults) f.seed = first++;
  return faults;
}

/// So long that every GPU has some of them.
void take_a_while() { std::this_thread::sleep_for(std::chrono::microseconds{20}); }

auto total_of(std::int64_t n)
{
  return fastgpu::make_job(
      space(n, by_size{1}),
      [](std::uint64_t i) {
        take_a_while();
        return support::mix(i);
      },
      fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}
std::uint64_t total(std::uint64_t n)
{
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += support::mix(i);
  return sum;
}

/// Losses and failures are expected here.
class GroupRuns : public testing::Test {
 protected:
  GroupRuns() { fastgpu::set_log(fastgpu::log_level::off); }
  ~GroupRuns() override { fastgpu::set_log(fastgpu::log_level::warning); }

  /// Some runs until the GPUs have reduced among themselves, which one that is late can prevent.
  template <class Once>
  static run_summary until_reduced(const Once& once)
  {
    for (int i = 0; i < 50; ++i) {
      if (auto s = once(); s.seals_in_groups > 0) return s;
    }
    ADD_FAILURE() << "the GPUs never reduced among themselves";
    return {};
  }
};

TEST_F(GroupRuns, SumAsTheHostDoes)
{
  gpus some{seeds(1, 3)};
  const auto s = until_reduced([&] {
    const auto value = fastgpu::aggregate(some.start(total_of(120)));
    EXPECT_EQ(value.get(), total(120));
    return value.summary();
  });
  EXPECT_GE(s.seals_in_groups, 2);
  EXPECT_GE(s.seals, s.seals_in_groups);
  EXPECT_EQ(s.committed, 120);
  EXPECT_NE(to_json(s).find("\"seals_in_groups\":"), std::string::npos);
}

TEST_F(GroupRuns, KeepTheirCommunicator)
{
  gpus some{seeds(4, 2)};
  for (int reductions = 0; reductions < 3;) {
    const auto value = fastgpu::aggregate(some.start(total_of(80)));
    EXPECT_EQ(value.get(), total(80));
    reductions += value.summary().seals_in_groups > 0 ? 1 : 0;
  }
  EXPECT_EQ(some.meet().meetings(), 1);
  EXPECT_EQ(some.meet().collectives(), 3);
}

TEST_F(GroupRuns, ReduceVectorsMinimaAndExactSums)
{
  for (const std::uint32_t lanes : {1u, 3u}) {
    gpus some{seeds(7, 3), 1, lanes};
    const auto counts = fastgpu::make_job(
        space(200, by_size{1}),
        [](std::uint64_t i, fastgpu::tally<fastgpu::sum<std::uint64_t>> bins) {
          take_a_while();
          bins.merge(static_cast<std::int64_t>(i % 37), i);
        },
        fastgpu::reduced(fastgpu::sum<std::uint64_t>{}, 37));
    std::vector<std::uint64_t> expected(37);
    for (std::uint64_t i = 0; i < 200; ++i) expected[i % 37] += i;
    (void)until_reduced([&] {
      const auto value = fastgpu::aggregate(some.start(counts));
      EXPECT_EQ(value.get(), expected);
      return value.summary();
    });

    const auto least = fastgpu::make_job(
        space(100, by_size{1}),
        [](std::uint64_t i) {
          take_a_while();
          return static_cast<std::int64_t>(support::mix(i));
        },
        fastgpu::reduced(fastgpu::minimum<std::int64_t>{}));
    auto smallest = static_cast<std::int64_t>(support::mix(0));
    for (std::uint64_t i = 1; i < 100; ++i) smallest = std::min(smallest, static_cast<std::int64_t>(support::mix(i)));
    (void)until_reduced([&] {
      const auto value = fastgpu::aggregate(some.start(least));
      EXPECT_EQ(value.get(), smallest);
      return value.summary();
    });

    const auto rough = fastgpu::make_job(
        space(150, by_size{1}),
        [](std::uint64_t i) {
          take_a_while();
          return std::ldexp(static_cast<double>(static_cast<std::int64_t>(support::mix(i)) >> 11),
                            static_cast<int>(i % 61) - 40);
        },
        fastgpu::reduced(fastgpu::sum<double>{}));
    fastgpu::cluster host{"host:1"};
    const auto exactly = fastgpu::aggregate(fastgpu::execute(host, rough, {.reduction = reduction::exact})).get();
    (void)until_reduced([&] {
      const auto value = fastgpu::aggregate(some.start(rough, {.reduction = reduction::exact}));
      EXPECT_EQ(value.get(), exactly);
      return value.summary();
    });
    (void)until_reduced([&] {
      const auto value = fastgpu::aggregate(some.start(rough, {.reduction = reduction::fast}));
      EXPECT_NEAR(value.get(), exactly, 1e-9 * std::abs(exactly) + 1e-3);
      return value.summary();
    });
  }
}

TEST_F(GroupRuns, LeaveToTheHostWhatIsSmallOrOrderedOrAskedForElsewhere)
{
  const auto in_groups = [](gpus& some, const fastgpu::run_options& options = {}) {
    std::uint64_t count = 0;
    for (int i = 0; i < 5; ++i) {
      const auto value = fastgpu::aggregate(some.start(total_of(60), options));
      EXPECT_EQ(value.get(), total(60));
      count += value.summary().seals_in_groups;
    }
    EXPECT_EQ(some.meet().meetings(), 0);
    return count;
  };
  gpus never{seeds(1, 2), 0};
  EXPECT_EQ(in_groups(never), 0);
  gpus larger{seeds(1, 2), 9};
  EXPECT_EQ(in_groups(larger), 0);
  gpus one{seeds(1, 1)};
  EXPECT_EQ(in_groups(one), 0);

  gpus two{seeds(1, 2)};
  const auto ordered = fastgpu::make_job(
      space(60, by_size{1}), [](std::uint64_t i) { return 1.0 / static_cast<double>(i + 1); },
      fastgpu::reduced(fastgpu::sum<double>{}));
  EXPECT_EQ(fastgpu::aggregate(two.start(ordered)).summary().seals_in_groups, 0);
  for (const std::int64_t n : {0, 1, 2}) {
    EXPECT_EQ(fastgpu::aggregate(two.start(total_of(n))).get(), total(static_cast<std::uint64_t>(n)));
  }
}

TEST_F(GroupRuns, SurviveCommunicatorsThatFail)
{
  for (std::uint64_t at = 0; at < 24; ++at) {
    for (std::uint32_t who = 0; who < 2; ++who) {
      gpus some{seeds(at, 2)};
      some.meet().plan(member_id{who}, at, rank_fault::fails);
      for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(fastgpu::aggregate(some.start(total_of(60))).get(), total(60)) << "call " << at << " of " << who;
      }
    }
  }
  gpus none{seeds(3, 3)};
  none.take_library_away();
  for (int i = 0; i < 5; ++i) {
    const auto value = fastgpu::aggregate(none.start(total_of(60)));
    EXPECT_EQ(value.get(), total(60));
    EXPECT_EQ(value.summary().seals_in_groups, 0);
  }
}

TEST_F(GroupRuns, EndAtOnceWhenCancelledInACollectiveThatHangs)
{
  gpus some{seeds(9, 2)};
  bool hung = false;
  for (std::uint64_t i = 0; i < 50 && !hung; ++i) {
    some.meet().plan(member_id{1}, some.meet().calls_of(member_id{1}) + 1, rank_fault::hangs);
    auto run = some.start(total_of(80));
    const auto begin = std::chrono::steady_clock::now();
    while (!run.finished() && std::chrono::steady_clock::now() - begin < std::chrono::milliseconds{300}) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    hung = !run.finished();
    run.cancel();
    const auto cancelled = std::chrono::steady_clock::now();
    (void)run.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - cancelled, std::chrono::seconds{2});
    if (hung) {
      EXPECT_EQ(run.wait().summary().outcome, outcome_kind::cancelled);
    }
  }
  EXPECT_TRUE(hung);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fastgpu::aggregate(some.start(total_of(80))).get(), total(80));
}

TEST_F(GroupRuns, LoseNothingWithAGpu)
{
  std::uint64_t lost = 0;
  for (std::uint64_t after = 1; after < 160; after += 3) {
    auto faults = seeds(after, 3);
    faults[after % 3].lost_after = after;
    gpus some{faults};
    for (int i = 0; i < 2; ++i) {
      auto run = some.start(total_of(90));
      const auto s = run.wait().summary();
      ASSERT_EQ(s.outcome, outcome_kind::done) << after << ": " << s.why.detail;
      ASSERT_EQ(fastgpu::aggregate(run).get(), total(90)) << after;
      lost += s.devices[after % 3].lost ? 1 : 0;
    }
  }
  EXPECT_GT(lost, 0);
}

TEST_F(GroupRuns, ShareTheGpusWithOtherRuns)
{
  gpus some{seeds(11, 3)};
  for (int i = 0; i < 10; ++i) {
    std::vector<fastgpu::run<std::uint64_t>> runs;
    for (int k = 0; k < 3; ++k) runs.push_back(some.start(total_of(40 + k), {.priority = k}));
    for (std::uint64_t k = 0; k < 3; ++k) EXPECT_EQ(fastgpu::aggregate(runs[k]).get(), total(40 + k));
  }
}

auto counts_of(std::int64_t n)
{
  return fastgpu::make_job(
      space(n, by_size{2}),
      [](std::uint64_t i, fastgpu::tally<fastgpu::sum<std::uint64_t>> bins) {
        take_a_while();
        bins.merge(static_cast<std::int64_t>(support::mix(i) % 19), i + 1);
      },
      fastgpu::reduced(fastgpu::sum<std::uint64_t>{}, 19));
}
std::vector<std::uint64_t> counts(std::uint64_t n)
{
  std::vector<std::uint64_t> expected(19);
  for (std::uint64_t i = 0; i < n; ++i) expected[support::mix(i) % 19] += i + 1;
  return expected;
}

/// Any GPUs, faults and jobs, by seed; one at least stays. FASTGPU_GROUP_RUNS of them.
TEST_F(GroupRuns, AreRightWhateverHappens)
{
  const char* wanted = std::getenv("FASTGPU_GROUP_RUNS");
  const auto count = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 60;
  std::uint64_t in_groups = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::uint64_t draws = 0;
    const auto below = [&](std::uint64_t n) { return support::mix(seed * 1000 + draws++) % n; };
    auto faults = seeds(seed * 10, 2 + below(3));
    for (std::size_t g = 1; g < faults.size(); ++g) {
      if (below(4) == 0) faults[g].lost_after = below(300);
    }
    gpus some{faults, 1, static_cast<std::uint32_t>(1 + below(4))};
    for (std::uint32_t g = 0; g < faults.size(); ++g) {
      if (below(4) == 0) some.meet().plan(member_id{g}, below(40), rank_fault::fails);
    }
    for (int i = 0; i < 3; ++i) {
      const auto n = below(160);
      auto total_run = some.start(total_of(static_cast<std::int64_t>(n)));
      auto counts_run = some.start(counts_of(static_cast<std::int64_t>(n)));
      if (below(6) == 0) total_run.cancel();
      const auto outcome = total_run.wait().summary();
      if (outcome.outcome != outcome_kind::cancelled) {
        ASSERT_EQ(outcome.outcome, outcome_kind::done) << outcome.why.detail;
        ASSERT_EQ(fastgpu::aggregate(total_run).get(), total(n));
      }
      const auto value = fastgpu::aggregate(counts_run);
      ASSERT_EQ(value.get(), counts(n));
      in_groups += outcome.seals_in_groups + value.summary().seals_in_groups;
    }
  }
  EXPECT_GT(in_groups, 0);
}

}  // namespace

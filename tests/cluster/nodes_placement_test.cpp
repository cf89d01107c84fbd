#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/nodes_fixture.hpp"
#include "support/failure_of.hpp"
#include "support/splitmix.hpp"

/// @file
/// Which nodes take part in a run, and where it begins.

namespace nodes_test {
namespace {

/// Takes a moment.
struct placed {
  std::uint64_t operator()(std::uint64_t i) const
  {
    std::this_thread::sleep_for(std::chrono::microseconds{100});
    return support::mix(i);
  }
};
FASTGPU_REGISTER("test.nodes.placed", placed)

thread_local int node_of_thread = 0;  // 0: the cluster's own devices
std::array<std::atomic<int>, 5> first_on;

/// Takes long, and tells where it was first.
struct noted {
  std::uint64_t operator()(std::uint64_t i) const
  {
    int nowhere = -1;
    first_on.at(i).compare_exchange_strong(nowhere, node_of_thread);
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    return support::mix(i);
  }
};
FASTGPU_REGISTER("test.nodes.noted", noted)

std::uint64_t sum_of_mixed(std::uint64_t n)
{
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += support::mix(i);
  return sum;
}

using NodesPlacement = Nodes;

TEST_F(NodesPlacement, TakeThePlacementThatTheyAreGiven)
{
  static std::array<int, 3> numbers{0, 1, 2};
  for (const int number : {1, 2}) {
    auto name = std::to_string(number);
    name.insert(0, 1, 'n');
    fastgpu::node_options options{.listen = "unix:" + folder_.path(name), .name = name, .devices = {.devices = "host:2"}};
    options.devices.thread_start = [](void* which, fastgpu::device_id, std::uint32_t) {
      node_of_thread = *static_cast<const int*>(which);
    };
    options.devices.thread_context = &numbers.at(static_cast<std::size_t>(number));
    nodes_.push_back(std::make_unique<fastgpu::node>(options));
  }
  auto c = join("host:1");
  // A subtask for each worker, so that all begin at once and nobody finds anything to steal.
  const auto job = fastgpu::make_job(fastgpu::space<1>{5, fastgpu::by_size{1}}, noted{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto devices = c.devices();
  auto placement = fastgpu::assign(fastgpu::decompose(job), devices, fastgpu::equal{});
  using ranges = std::vector<fastgpu::interval>;
  for (const auto& given : std::vector<std::vector<ranges>>{{{{4, 5}}, {{0, 2}}, {{2, 4}}},
                                                            {{{0, 1}}, {{3, 5}}, {{1, 3}}},
                                                            {{{2, 3}}, {{0, 1}, {4, 5}}, {{1, 2}, {3, 4}}}}) {
    placement.entries.clear();
    std::array<int, 5> wanted{};
    for (std::size_t d = 0; d < 3; ++d) {
      placement.entries.push_back({devices[d].id, devices[d].name, given[d]});
      for (const auto& range : given[d]) {
        for (auto i = range.begin; i < range.end; ++i) wanted.at(i) = static_cast<int>(d);
      }
    }
    for (auto& subtask : first_on) subtask = -1;
    const auto value = fastgpu::aggregate(fastgpu::execute(c, job, placement));
    EXPECT_EQ(value.get(), sum_of_mixed(5));
    EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), first_on.begin())) << testing::PrintToString(wanted);
    ASSERT_EQ(value.summary().devices.size(), 3);
    EXPECT_EQ(value.summary().devices[1].name, "n1");
  }
}

TEST_F(NodesPlacement, GoBySpeedsThatEarlierRunsMeasured)
{
  start();
  auto c = join("host:1");
  const auto job = fastgpu::make_job(fastgpu::space<1>{2000, fastgpu::by_size{1}}, placed{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  for (const fastgpu::assignment_policy& policy :
       {fastgpu::assignment_policy{fastgpu::by_speed{}}, fastgpu::assignment_policy{fastgpu::minimum_completion_time{}}}) {
    SCOPED_TRACE(policy.name);
    const auto first = fastgpu::aggregate(fastgpu::execute(c, job, {.policy = fastgpu::equal{}}));
    EXPECT_EQ(first.summary().measured_share, 0);
    const auto value = fastgpu::aggregate(fastgpu::execute(c, job, {.policy = policy}));
    EXPECT_EQ(value.get(), sum_of_mixed(2000));
    EXPECT_EQ(value.summary().measured_share, 1);
    const auto devices = fastgpu::devices_for(c, job);
    ASSERT_EQ(devices.size(), 2);
    EXPECT_GT(devices[1].speed, 1.2 * devices[0].speed);  // two threads and one
  }
}

TEST_F(NodesPlacement, ThatAreGoneMakeAPlacementUseless)
{
  start();
  start();
  auto c = join("host:1");
  const auto job = fastgpu::make_job(fastgpu::space<1>{900, fastgpu::by_size{1}}, placed{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto placement = fastgpu::assign(fastgpu::decompose(job), c.devices(), fastgpu::equal{});
  kill(0);
  for (int i = 0; i < 1000 && c.devices().size() == 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  EXPECT_EQ(support::failure_of([&] { (void)fastgpu::execute(c, job, placement); }).code, errc::placement_mismatch);
}

TEST_F(NodesPlacement, TakeNoPartWhereAPlacementDoesNotNameThem)
{
  start();
  start();
  auto c = join("host:1");
  const auto job = fastgpu::make_job(fastgpu::space<1>{1000, fastgpu::by_size{1}}, placed{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto devices = c.devices();
  const std::vector<fastgpu::device_info> two{devices[0], devices[2]};
  const auto placement = fastgpu::assign(fastgpu::decompose(job), two, fastgpu::equal{});
  const auto value = fastgpu::aggregate(fastgpu::execute(c, job, placement));
  EXPECT_EQ(value.get(), sum_of_mixed(1000));
  ASSERT_EQ(value.summary().devices.size(), 2);
  EXPECT_EQ(value.summary().devices[1].name, "n2");
}

TEST_F(NodesPlacement, TakeNoPartWithoutWhatAJobNeeds)
{
  start();
  nodes_.push_back(std::make_unique<fastgpu::node>(fastgpu::node_options{
      .listen = "unix:" + folder_.path("fit"), .name = "fit", .devices = {.devices = "host:2", .labels = {"fit"}}}));
  auto c = join("host:1");
  const auto job = fastgpu::make_job(fastgpu::space<1>{1000, fastgpu::by_size{1}}, placed{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto value = fastgpu::aggregate(fastgpu::execute(c, job, {.need = {.labels = {"fit"}}}));
  EXPECT_EQ(value.get(), sum_of_mixed(1000));
  ASSERT_EQ(value.summary().devices.size(), 1);
  EXPECT_EQ(value.summary().devices[0].name, "fit");
}

}  // namespace
}  // namespace nodes_test

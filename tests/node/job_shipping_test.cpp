#include "node/shipped_jobs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "node/job_shipping.hpp"

/// @file
/// Whole jobs on several nodes that have nothing but what was sent to them, against the same jobs at home.

namespace {

using fastgpu::interval;
using shipped::example;
using shipped::small_node;
namespace detail = fastgpu::detail;

/// Ranges of whole spans that cover the job, in any order.
std::vector<interval> random_ranges(const detail::job_data& job, std::mt19937_64& random)
{
  const auto span = std::uint32_t{1} << job.shape.span_log2;
  const auto most = 1 + random() % 12;
  std::vector<interval> ranges;
  for (std::uint32_t at = 0; at < job.shape.count;) {
    const auto end = std::min<std::uint64_t>(job.shape.count, at + span * (1 + random() % most));
    ranges.push_back({at, static_cast<std::uint32_t>(end)});
    at = static_cast<std::uint32_t>(end);
  }
  std::shuffle(ranges.begin(), ranges.end(), random);
  return ranges;
}

void commit(const example& e, detail::partial& total, small_node& from)
{
  const auto& job = e.job->data;
  auto [said, bytes] = from.seal();
  if (said.empty()) return;
  auto arrived = detail::unpack_partial(job, e.fold, detail::heap(), std::move(said), std::move(bytes));
  ASSERT_TRUE(arrived) << arrived.error().detail;
  auto taken = std::move(arrived).value();
  detail::commit_blocks(job, taken);
  total.absorb(std::move(*taken.values));
}

/// Runs the job on nodes, ranges and seals chosen by `seed`, and compares with the run at home.
void check(const example& e, std::uint64_t seed)
{
  SCOPED_TRACE(e.name + ", seed " + std::to_string(seed));
  const auto& job = e.job->data;
  std::mt19937_64 random{seed};
  const auto described = detail::describe_job(job, e.fold);
  if (job.shape.count == 0) {
    small_node idle{job, described};
    return;
  }
  e.clear();
  const auto value = shipped::direct_value(job, e.fold);
  const auto outputs = e.outputs();
  e.clear();

  std::vector<std::unique_ptr<small_node>> nodes;
  const auto node_count = 1 + random() % 4;
  for (std::size_t i = 0; i < node_count; ++i) nodes.push_back(std::make_unique<small_node>(job, described));
  detail::partial total{job, e.fold};
  for (const auto& range : random_ranges(job, random)) {
    auto& node = *nodes[random() % nodes.size()];
    ASSERT_NO_FATAL_FAILURE(node.run(range, random() % 2 == 0 ? 1 << 20 : 1 + random() % 200));
    if (random() % 4 == 0) {
      ASSERT_NO_FATAL_FAILURE(commit(e, total, node));
    }
  }
  for (auto& node : nodes) ASSERT_NO_FATAL_FAILURE(commit(e, total, *node));
  EXPECT_EQ(total.fold_set().count(), job.shape.count);
  EXPECT_TRUE(shipped::value_bytes(job, total) == value);
  EXPECT_TRUE(e.outputs() == outputs);
}

TEST(JobShipping, GivesTheValueAndTheOutputsOfARunAtHome)
{
  for (const std::int64_t n : {0, 1, 2, 19, 20, 97, 400}) {
    for (const auto& e : shipped::examples_of(n)) {
      for (std::uint64_t seed = 1; seed <= shipped::seeds(20); ++seed) {
        check(e, seed);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(JobShipping, ServesJobsOfManySpans)
{
  const fastgpu::space<1> over{fastgpu::extents<1>{{200'000}}, fastgpu::by_size{3}};
  const auto job = fastgpu::make_job(over, shipped::rough_of{1}, fastgpu::reduced(fastgpu::sum<double>{}));
  ASSERT_GT(job.data().shape.span_log2, 0u);
  check(shipped::keep("many spans", job, detail::fold_kind::ordered), 1);
}

TEST(JobShipping, SendsNothingTwice)
{
  for (const auto edge : {fastgpu::border::reflect_101, fastgpu::border::constant}) {
    const auto e = shipped::stencil_job<2>({{90, 41}}, fastgpu::by_size{3, 4}, 5, edge);
    const auto& job = e.job->data;
    std::mt19937_64 random{3};
    small_node node{job, detail::describe_job(job, e.fold)};
    for (const auto& range : random_ranges(job, random)) node.run(range, 1000);
    EXPECT_EQ(node.sent_bytes(), 90u * 41u * 2u);
  }
}

}  // namespace

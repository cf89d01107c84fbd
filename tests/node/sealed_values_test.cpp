#include "node/sealed_values.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "node/job_shipping.hpp"
#include "node/shipped_jobs.hpp"

namespace {

using fastgpu::errc;
using fastgpu::interval;
using fastgpu::detail::arrived_partial;
using fastgpu::detail::fold_kind;
using fastgpu::detail::heap;
using fastgpu::detail::interval_set;
using fastgpu::detail::job_data;
using fastgpu::detail::partial;
using fastgpu::detail::payload;
using fastgpu::detail::unpack_partial;
using shipped::example;
using shipped::small_node;

fastgpu::result<arrived_partial> unpack(const example& e, const interval_set& folded, payload bytes)
{
  return unpack_partial(e.job->data, e.fold, heap(), folded, std::move(bytes));
}

/// A third of the job's subtasks, in two runs, as a node seals them.
std::pair<interval_set, payload> sealed_by_a_node(const example& e)
{
  const auto& job = e.job->data;
  small_node node{job, fastgpu::detail::describe_job(job, e.fold)};
  const auto span = std::uint32_t{1} << job.shape.span_log2;
  const auto spans = (job.shape.count - 1) / span + 1;
  const auto run = [&](std::uint32_t begin, std::uint32_t end) {  // in spans
    if (begin < end) node.run({begin * span, std::min(end * span, job.shape.count)}, 1 << 20);
  };
  run(spans / 6, spans / 3);
  run(spans - 1 - spans / 6, spans);
  auto [said, bytes] = node.seal();
  return {std::move(said), std::move(bytes)};
}

TEST(SealedValues, OfAFoldSetThatIsNoneOfTheJobAreRefused)
{
  const fastgpu::space<1> over{fastgpu::extents<1>{{1 << 16}}, fastgpu::by_size{1}};
  const auto made = fastgpu::make_job(over, shipped::rough_of{}, fastgpu::reduced(fastgpu::sum<double>{}));
  const auto& job = made.data();
  ASSERT_EQ(job.shape.span_log2, 2u);
  const auto last = job.shape.count;
  for (const auto& said : std::vector<interval_set>{interval_set{},
                                                    interval_set{{0, 3}},
                                                    interval_set{{1, 4}},
                                                    interval_set{{0, last + 4}},
                                                    interval_set{{last + 4, last + 8}},
                                                    interval_set{{0, 4'000'000'000}}}) {
    const auto refused = unpack_partial(job, fold_kind::exact, heap(), said, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::protocol_error);
    EXPECT_NE(refused.error().detail.find("no spans of the job"), std::string::npos) << refused.error().detail;
  }
}

/// Where the outputs of such subtasks lie stands in a table with an entry for each subtask that there is.
TEST(SealedValues, OfSubtasksThatThereAreNotAreRefusedBeforeTheirOutputsAreLookedFor)
{
  const auto e = shipped::scale_job("scale", fastgpu::space<1>{fastgpu::by_cost{std::vector<double>(40, 1.0), 17}}, 40);
  const auto refused = unpack(e, interval_set{{0, 4'000'000'000}}, payload(64));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::protocol_error);
}

TEST(SealedValues, CutShortOrTooLongAreRefused)
{
  for (const auto& e : shipped::examples_of(60)) {
    SCOPED_TRACE(e.name);
    const auto [folded, bytes] = sealed_by_a_node(e);
    ASSERT_TRUE(unpack(e, folded, bytes));
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      const auto refused = unpack(e, folded, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut)});
      ASSERT_FALSE(refused) << cut;
      EXPECT_EQ(refused.error().code, errc::protocol_error);
    }
    auto longer = bytes;
    longer.push_back({});
    EXPECT_FALSE(unpack(e, folded, longer));
  }
}

TEST(SealedValues, OfAnotherFoldSetAreRefused)
{
  for (const auto& e : shipped::examples_of(60)) {
    if (e.fold != fold_kind::ordered) continue;  // others do not know what they were folded from
    SCOPED_TRACE(e.name);
    const auto [folded, bytes] = sealed_by_a_node(e);
    const auto count = e.job->data.shape.count;
    auto less = folded;
    less.erase({count - 1, count});
    auto more = folded;
    more.insert({0, 1});
    EXPECT_FALSE(unpack(e, less, bytes));
    EXPECT_FALSE(unpack(e, more, bytes));
  }
}

TEST(SealedValues, OfAnExactSumThatIsNotNormalisedAreRefused)
{
  const auto examples = shipped::examples_of(60);
  const auto e = *std::find_if(examples.begin(), examples.end(),
                               [](const example& each) { return each.fold == fold_kind::exact; });
  const auto [folded, bytes] = sealed_by_a_node(e);
  auto wrong = bytes;
  wrong[8 + 7] = std::byte{0x40};  // the first limb beyond its digit
  EXPECT_FALSE(unpack(e, folded, wrong));
}

TEST(SealedValues, CorruptedInAnyWayAreRefusedOrMerge)
{
  const auto examples = shipped::examples_of(60);
  std::uint64_t refused = 0;
  std::uint64_t taken = 0;
  for (const auto& e : examples) {
    SCOPED_TRACE(e.name);
    const auto& job = e.job->data;
    const auto [folded, bytes] = sealed_by_a_node(e);
    for (std::uint64_t seed = 1; seed <= shipped::seeds(150); ++seed) {
      std::mt19937_64 random{seed};
      auto corrupted = bytes;
      const auto reach = random() % 2 == 0 ? std::min<std::size_t>(40, corrupted.size()) : corrupted.size();
      for (auto changes = 1 + random() % 3; changes > 0; --changes) {
        corrupted[random() % reach] = static_cast<std::byte>(random() % 3 == 0 ? random() % 256 : random() % 4);
      }
      auto arrived = unpack(e, folded, std::move(corrupted));
      if (!arrived) {
        ++refused;
        continue;
      }
      ++taken;
      auto what = std::move(arrived).value();
      commit_blocks(job, what);
      // Merged with the rest it is a whole, if a wrong one.
      interval_set rest{interval{0, job.shape.count}};
      rest.erase(folded);
      const auto session = fastgpu::detail::open_host_session({}, {&job, e.fold});
      for (const auto& range : rest.intervals()) {
        ASSERT_EQ(session->launch(range), fastgpu::detail::batch_status::done);
      }
      partial total{job, e.fold};
      total.absorb(std::move(*what.values));
      if (!rest.empty()) total.absorb(std::move(*session->seal().values));
      (void)shipped::value_bytes(job, total);
    }
  }
  EXPECT_GT(refused, 100u);
  EXPECT_GT(taken, 100u);
}

TEST(SealedValues, WriteTheBlocksOfTheirSubtasksAlone)
{
  const auto e = shipped::scale_job("scale", fastgpu::space<1>{fastgpu::extents<1>{{10}}, fastgpu::by_size{2}}, 10);
  e.clear();
  const auto untouched = e.outputs();
  small_node node{e.job->data, fastgpu::detail::describe_job(e.job->data, e.fold)};
  node.run({1, 3}, 1 << 20);
  auto [said, bytes] = node.seal();
  const auto arrived = unpack(e, said, std::move(bytes));
  ASSERT_TRUE(arrived);
  EXPECT_EQ(e.outputs(), untouched);  // nothing is written before it is committed
  commit_blocks(e.job->data, arrived.value());
  double out[10];
  std::memcpy(out, e.outputs().data(), sizeof out);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(out[i] == 77.0, i < 2 || i >= 6) << i;
}

}  // namespace

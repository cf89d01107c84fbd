#include "aggregate/forest.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/fingerprint.hpp"
#include "support/ordered_reference.hpp"

namespace {

using fastgpu::detail::forest;
using fastgpu::detail::value_table_of;
using support::fingerprint;
using support::mark_of;
using support::trace_merges;

constexpr trace_merges<> op;

forest make_forest(std::uint32_t spans) { return {value_table_of<trace_merges<>, fingerprint<>>, &op, 1, spans}; }

void push(forest& to, std::uint32_t span)
{
  const auto value = mark_of(span);
  to.push(span, &value);
}

fingerprint<> root_of(forest& f)
{
  fingerprint<> value;
  std::memcpy(&value, f.root(), sizeof value);
  return value;
}

fingerprint<> expected_root(std::uint32_t spans)
{
  std::vector<fingerprint<>> leaves;
  for (std::uint32_t s = 0; s < spans; ++s) leaves.push_back(mark_of(s));
  return reference::merge_tree(op, std::move(leaves));
}

std::vector<std::uint32_t> all_spans(std::uint32_t spans)
{
  std::vector<std::uint32_t> order(spans);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

TEST(Forest, MergesSiblingsAndPassesOnWhoHasNone)
{
  // Five leaves: 0 1 2 3 4, then 01 23 4, then 0123 4, then all.
  auto f = make_forest(5);
  for (std::uint32_t s = 0; s < 5; ++s) push(f, s);
  EXPECT_EQ(f.node_count(), 1u);
  EXPECT_EQ(root_of(f), op(op(op(mark_of(0), mark_of(1)), op(mark_of(2), mark_of(3))), mark_of(4)));
}

TEST(Forest, OfOneSpanIsItsValue)
{
  auto f = make_forest(1);
  EXPECT_TRUE(f.empty());
  push(f, 0);
  EXPECT_FALSE(f.empty());
  EXPECT_EQ(root_of(f), mark_of(0));
}

TEST(Forest, MergesAsSoonAsBothSiblingsAreThere)
{
  auto f = make_forest(8);
  push(f, 0);
  EXPECT_EQ(f.node_count(), 1u);
  push(f, 1);
  EXPECT_EQ(f.node_count(), 1u);
  push(f, 2);
  EXPECT_EQ(f.node_count(), 2u);
  push(f, 3);
  EXPECT_EQ(f.node_count(), 1u);
  push(f, 5);
  push(f, 4);  // the wrong way round: they wait
  EXPECT_EQ(f.node_count(), 3u);
  f.compact();
  EXPECT_EQ(f.node_count(), 2u);
}

TEST(Forest, CanBeClearedAndFilledAgain)
{
  auto f = make_forest(3);
  push(f, 2);
  push(f, 0);
  f.clear();
  EXPECT_TRUE(f.empty());
  for (const std::uint32_t s : {1u, 2u, 0u}) push(f, s);
  EXPECT_EQ(root_of(f), expected_root(3));
}

TEST(Forest, LeavesNothingInWhatItAbsorbs)
{
  auto a = make_forest(4);
  auto b = make_forest(4);
  push(a, 0);
  push(a, 2);
  push(b, 1);
  push(b, 3);
  a.absorb(std::move(b));
  EXPECT_TRUE(b.empty());  // NOLINT: what it promises
  EXPECT_EQ(root_of(a), expected_root(4));
}

TEST(Forest, AbsorbsWhatIsEmptyAndIntoWhatIsEmpty)
{
  auto a = make_forest(4);
  a.absorb(make_forest(4));
  EXPECT_TRUE(a.empty());
  auto b = make_forest(4);
  for (std::uint32_t s = 0; s < 4; ++s) push(b, s);
  a.absorb(std::move(b));
  a.absorb(make_forest(4));
  EXPECT_EQ(root_of(a), expected_root(4));
}

TEST(Forest, GivesTheTreesBitsAlsoPackedAndUnpacked)
{
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    std::mt19937_64 random{seed};
    const auto spans = static_cast<std::uint32_t>(1 + random() % 90);
    auto here = make_forest(spans);
    auto there = make_forest(spans);
    for (std::uint32_t s = 0; s < spans; ++s) push(random() % 2 == 0 ? here : there, s);
    ASSERT_TRUE(here.unpack(there.pack()));
    ASSERT_EQ(root_of(here), expected_root(spans)) << "seed " << seed;
  }
}

TEST(Forest, KnowsItsSpans)
{
  auto f = make_forest(7);
  EXPECT_TRUE(f.spans().empty());
  for (const std::uint32_t s : {6u, 0u, 1u, 3u}) push(f, s);  // the last one moves up beyond the end
  EXPECT_EQ(f.spans().intervals(), (std::vector<fastgpu::interval>{{0, 2}, {3, 4}, {6, 7}}));
}

TEST(Forest, PacksANodeIntoItsPlaceAndItsValue)
{
  auto f = make_forest(8);
  EXPECT_EQ(f.pack().size(), 16u);
  push(f, 4);
  push(f, 5);
  EXPECT_EQ(f.pack().size(), 16u + 8u + 8u);
}

TEST(Forest, UnpacksNothingThatDoesNotFit)
{
  auto whole = make_forest(4);
  push(whole, 0);
  push(whole, 2);
  const auto packed = whole.pack();
  const auto refused = [&](std::vector<std::byte> bytes, forest into) {
    const auto before = into.node_count();
    return !into.unpack(bytes) && into.node_count() == before;
  };
  for (std::size_t cut = 0; cut < packed.size(); ++cut) {
    EXPECT_TRUE(refused({packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(cut)}, make_forest(4))) << cut;
  }
  EXPECT_TRUE(refused(packed, make_forest(5)));  // a tree of another shape

  auto with_one_of_them = make_forest(4);
  push(with_one_of_them, 2);
  EXPECT_TRUE(refused(packed, std::move(with_one_of_them)));
  auto with_one_inside = make_forest(4);
  push(with_one_inside, 0);
  auto pair = make_forest(4);
  push(pair, 0);
  push(pair, 1);
  EXPECT_TRUE(refused(pair.pack(), std::move(with_one_inside)));

  const auto with = [&](std::size_t at, int value) {
    auto bytes = packed;
    bytes[at] = static_cast<std::byte>(value);
    return bytes;
  };
  EXPECT_TRUE(refused(with(16, 4), make_forest(4)));      // an index past the end
  EXPECT_TRUE(refused(with(20, 40), make_forest(4)));     // a level that there cannot be
  EXPECT_TRUE(refused(with(7, 255), make_forest(4)));     // very many nodes
  EXPECT_TRUE(refused(with(8, 7), make_forest(4)));       // values of another size
  EXPECT_TRUE(refused(with(16, 2), make_forest(4)));      // one span twice
  EXPECT_FALSE(refused(with(16, 1), make_forest(4)));     // another span is fine
}

TEST(Forest, GivesTheTreesBitsInAscendingOrderForAnyNumberOfSpans)
{
  for (std::uint32_t spans = 1; spans <= 70; ++spans) {
    auto f = make_forest(spans);
    for (std::uint32_t s = 0; s < spans; ++s) push(f, s);
    EXPECT_EQ(f.node_count(), 1u) << spans;
    ASSERT_EQ(root_of(f), expected_root(spans)) << spans;
  }
}

TEST(Forest, GivesTheTreesBitsInAnyOrder)
{
  for (std::uint32_t spans = 1; spans <= 70; ++spans) {
    const auto expected = expected_root(spans);
    auto order = all_spans(spans);
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      std::mt19937_64 random{seed};
      std::shuffle(order.begin(), order.end(), random);
      auto f = make_forest(spans);
      for (const auto s : order) {
        push(f, s);
        if (random() % 16 == 0) f.compact();
      }
      ASSERT_EQ(root_of(f), expected) << spans << " spans, seed " << seed;
    }
  }
}

TEST(Forest, GivesTheTreesBitsInAnySplitAndOrderOfAbsorbing)
{
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    std::mt19937_64 random{seed};
    const auto spans = static_cast<std::uint32_t>(1 + random() % (seed % 10 == 0 ? 3000 : 90));
    const auto parts = 1 + random() % 8;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(spans) + " spans in " + std::to_string(parts) +
                 " forests");
    std::vector<forest> forests;
    for (std::size_t i = 0; i < parts; ++i) forests.push_back(make_forest(spans));
    auto order = all_spans(spans);
    if (seed % 2 == 0) std::shuffle(order.begin(), order.end(), random);
    std::size_t part = 0;
    for (const auto s : order) {
      if (seed % 3 == 0 || random() % 5 == 0) part = random() % parts;  // spans alone, or in runs
      push(forests[part], s);
    }
    while (forests.size() > 1) {  // any two, until there is one
      std::shuffle(forests.begin(), forests.end(), random);
      auto last = std::move(forests.back());
      forests.pop_back();
      forests[random() % forests.size()].absorb(std::move(last));
    }
    ASSERT_EQ(root_of(forests[0]), expected_root(spans));
  }
}

TEST(Forest, StaysWithinItsBoundOfNodes)
{
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random{seed};
    const auto spans = static_cast<std::uint32_t>(1 + random() % 20'000);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(spans) + " spans");
    // Runs of consecutive spans in any order, as batches and steals give them.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;
    for (std::uint32_t begin = 0; begin < spans;) {
      const auto length = std::min<std::uint32_t>(spans - begin, static_cast<std::uint32_t>(1 + random() % 2000));
      runs.emplace_back(begin, begin + length);
      begin += length;
    }
    std::shuffle(runs.begin(), runs.end(), random);
    auto f = make_forest(spans);
    std::size_t begun = 0;
    for (const auto& [begin, end] : runs) {
      ++begun;
      for (auto s = begin; s < end; ++s) {
        push(f, s);
        ASSERT_LE(f.node_count(), forest::nodes_max(spans, begun));
      }
    }
    ASSERT_EQ(root_of(f), expected_root(spans));
  }
}

TEST(Forest, KnowsItsBoundOfNodes)
{
  EXPECT_EQ(forest::nodes_max(1, 1), 1u);
  EXPECT_EQ(forest::nodes_max(1024, 1), 22u);
  EXPECT_EQ(forest::nodes_max(1024, 4), 88u);
  EXPECT_EQ(forest::nodes_max(1024, 1000), 1024u);
}

TEST(Forest, HoldsOnlyAFewNodesOfALongRun)
{
  auto f = make_forest(1 << 16);
  std::size_t most = 0;
  for (std::uint32_t s = 1; s < (1 << 16); ++s) {
    push(f, s);
    most = std::max(most, f.node_count());
  }
  EXPECT_LE(most, 2u * 16);
}

TEST(Forest, MergesVectorsElementByElement)
{
  const auto& table = value_table_of<trace_merges<>, fingerprint<>>;
  constexpr std::uint32_t spans = 37;
  forest f{table, &op, 3, spans};
  auto order = all_spans(spans);
  std::mt19937_64 random{1};
  std::shuffle(order.begin(), order.end(), random);
  for (const auto s : order) {
    const std::array<fingerprint<>, 3> value{mark_of(s), mark_of(1000 + s), mark_of(2000 + s)};
    f.push(s, value.data());
  }
  std::array<fingerprint<>, 3> root;
  std::memcpy(root.data(), f.root(), sizeof root);
  for (std::uint32_t element = 0; element < 3; ++element) {
    std::vector<fingerprint<>> leaves;
    for (std::uint32_t s = 0; s < spans; ++s) leaves.push_back(mark_of(1000 * element + s));
    EXPECT_EQ(root[element], reference::merge_tree(op, std::move(leaves)));
  }
}

struct alignas(64) wide {
  double value;
};
/// Counts operands that lie where their type must not.
struct add_wide {
  std::uint64_t* misplaced;
  wide operator()(const wide& left, const wide& right) const
  {
    const auto at = [](const wide& w) { return std::bit_cast<std::uintptr_t>(std::addressof(w)); };
    *misplaced += (at(left) % 64 != 0 ? 1U : 0U) + (at(right) % 64 != 0 ? 1U : 0U);
    return {left.value + right.value};
  }
};

TEST(Forest, AlignsValuesAsTheirTypeAsks)
{
  std::uint64_t misplaced = 0;
  const add_wide add{&misplaced};
  forest f{value_table_of<add_wide, wide>, &add, 1, 9};
  for (std::uint32_t s = 0; s < 9; ++s) {
    const wide value{1.0};
    f.push(s, &value);
  }
  wide total;
  std::memcpy(&total, f.root(), sizeof total);
  EXPECT_EQ(total.value, 9.0);
  EXPECT_EQ(misplaced, 0u);
}

}  // namespace

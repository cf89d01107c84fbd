#include "nccl/value_mergers.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "aggregate/forest.hpp"
#include "support/fingerprint.hpp"
#include "support/group_inputs.hpp"
#include "support/group_world.hpp"
#include "support/ordered_reference.hpp"

namespace {

using fastgpu::detail::exact_state;
using fastgpu::detail::forest;
using fastgpu::detail::forest_merger;
using fastgpu::detail::payload;
using fastgpu::detail::reduction_plan;
using fastgpu::detail::value_merger;
using fastgpu::detail::value_table_of;
using support::fingerprint;
using support::group_world;
using support::intervention;
using support::mark_of;
using support::trace_merges;

constexpr trace_merges<> op;
constexpr const auto& fingerprints = value_table_of<trace_merges<>, fingerprint<>>;

/// Spans s of `spans` with s mod members == member, packed.
payload every_nth(std::uint32_t spans, std::uint32_t member, std::uint32_t members)
{
  forest f{fingerprints, &op, 1, spans};
  for (auto s = member; s < spans; s += members) {
    const auto value = mark_of(s);
    f.push(s, &value);
  }
  return f.pack();
}

fingerprint<> root_of(const payload& packed, std::uint32_t spans)
{
  forest f{fingerprints, &op, 1, spans};
  EXPECT_TRUE(f.unpack(packed));
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

TEST(ForestMerger, GivesTheTreesBitsThroughAGroup)
{
  const forest_merger merger{fingerprints, &op, 1, 13};
  reduction_plan plan;
  plan.how = reduction_plan::method::gather;
  plan.bytes_max = 16 + 5 * 16;
  plan.merger = &merger;
  group_world w{3, plan, {every_nth(13, 0, 3), every_nth(13, 1, 3), every_nth(13, 2, 3)}};
  ASSERT_TRUE(w.run());
  EXPECT_FALSE(w.outcome().on_host);
  EXPECT_EQ(root_of(w.outcome().value, 13), expected_root(13));
}

TEST(ForestMerger, GivesTheTreesBitsOnTheHostToo)
{
  const forest_merger merger{fingerprints, &op, 1, 13};
  reduction_plan plan;
  plan.how = reduction_plan::method::gather;
  plan.bytes_max = 16 + 5 * 16;
  plan.merger = &merger;
  group_world w{3, plan, {every_nth(13, 0, 3), every_nth(13, 1, 3), every_nth(13, 2, 3)}};
  w.take_library_away(0);
  ASSERT_TRUE(w.run());
  EXPECT_TRUE(w.outcome().on_host);
  EXPECT_EQ(root_of(w.outcome().value, 13), expected_root(13));
}

TEST(ForestMerger, LeavesOutTheSpansOfALostMember)
{
  const forest_merger merger{fingerprints, &op, 1, 9};
  reduction_plan plan;
  plan.how = reduction_plan::method::gather;
  plan.bytes_max = 256;
  plan.merger = &merger;
  group_world w{3, plan, {every_nth(9, 0, 3), every_nth(9, 1, 3), every_nth(9, 2, 3)}};
  ASSERT_TRUE(w.run({{30, {intervention::kind::kill, 1}}}));
  forest rest{fingerprints, &op, 1, 9};
  ASSERT_TRUE(rest.unpack(w.outcome().value));
  ASSERT_TRUE(rest.unpack(every_nth(9, 1, 3)));  // which another device has done anew
  fingerprint<> value;
  std::memcpy(&value, rest.root(), sizeof value);
  EXPECT_EQ(value, expected_root(9));
}

TEST(ForestMerger, RefusesASpanFromTwoMembers)
{
  const auto one = every_nth(4, 0, 2);
  const std::vector<std::span<const std::byte>> inputs{one, one};
  EXPECT_FALSE((forest_merger{fingerprints, &op, 1, 4}.merge(inputs)));
}

TEST(ValueMerger, MergesInTheOrderOfMembersAndSkipsWhoHasNothing)
{
  const auto a = support::bytes_of<fingerprint<>>({mark_of(1)});
  const auto b = support::bytes_of<fingerprint<>>({mark_of(2)});
  const payload nothing;
  const std::vector<std::span<const std::byte>> inputs{nothing, a, nothing, b};
  const auto merged = value_merger{fingerprints, &op, 1}.merge(inputs);
  ASSERT_TRUE(merged);
  EXPECT_EQ(support::numbers_in<fingerprint<>>(merged.value())[0], op(mark_of(1), mark_of(2)));
}

TEST(ValueMerger, RefusesAValueThatIsCutShort)
{
  const payload half(4);
  const std::vector<std::span<const std::byte>> inputs{half};
  EXPECT_FALSE((value_merger{fingerprints, &op, 1}.merge(inputs)));
}

TEST(ExactStates, RoundOnceAfterAGroupHasAddedThem)
{
  using state = exact_state<fastgpu::sum<double>>;
  const auto& values = value_table_of<fastgpu::sum<double>, double>;
  const auto plan = plan_for(values, fastgpu::detail::fold_kind::exact, 1);
  std::vector<payload> inputs;
  for (const double part : {1e100, 0x1p-60, -1e100}) {
    state s;
    s.add(part);
    s.normalize();
    inputs.emplace_back(sizeof s);
    std::memcpy(inputs.back().data(), &s, sizeof s);
  }
  group_world w{3, plan, inputs};
  ASSERT_TRUE(w.run());
  EXPECT_FALSE(w.outcome().on_host);
  state total;
  values.exact_merge(&total, w.outcome().value.data());
  EXPECT_EQ(total.value(), 0x1p-60);  // of which nothing is left where doubles are added
}

}  // namespace

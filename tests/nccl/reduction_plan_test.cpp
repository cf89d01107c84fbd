#include "nccl/reduction_plan.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/group_inputs.hpp"

namespace {

using fastgpu::detail::fold_kind;
using fastgpu::detail::measured_threshold;
using fastgpu::detail::merge_kind;
using fastgpu::detail::merge_on_host;
using fastgpu::detail::payload;
using fastgpu::detail::plan_for;
using fastgpu::detail::reduction_plan;
using fastgpu::detail::reduction_policy;
using fastgpu::detail::scalar_kind;
using fastgpu::detail::value_table_of;
using method = reduction_plan::method;

template <class T>
std::vector<T> merged(merge_kind how, const std::vector<std::vector<T>>& inputs)
{
  reduction_plan plan;
  plan.scalar = fastgpu::detail::scalar_kind_of<T>();
  plan.merge = how;
  plan.count = inputs[0].size();
  std::vector<payload> bytes;
  for (const auto& i : inputs) bytes.push_back(support::bytes_of(i));
  const std::vector<std::span<const std::byte>> spans{bytes.begin(), bytes.end()};
  return support::numbers_in<T>(merge_on_host(plan, spans).value());
}

TEST(MergeOnHost, AddsNumberByNumber)
{
  EXPECT_EQ(merged<std::int64_t>(merge_kind::sum, {{1, -2}, {10, -20}, {100, 0}}), (std::vector<std::int64_t>{111, -22}));
  EXPECT_EQ(merged<std::uint32_t>(merge_kind::sum, {{0xffffffff}, {2}}), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(merged<double>(merge_kind::sum, {{0.5}, {0.25}}), (std::vector<double>{0.75}));
  EXPECT_EQ(merged<float>(merge_kind::sum, {{0.5f, 1}, {0.25f, 2}}), (std::vector<float>{0.75f, 3}));
}

TEST(MergeOnHost, WrapsAroundAsLimbsMust)
{
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(merged<std::int64_t>(merge_kind::sum, {{most}, {1}}), (std::vector<std::int64_t>{least}));
}

TEST(MergeOnHost, KnowsSignedFromUnsigned)
{
  EXPECT_EQ(merged<std::int32_t>(merge_kind::minimum, {{5}, {-1}}), (std::vector<std::int32_t>{-1}));
  EXPECT_EQ(merged<std::uint32_t>(merge_kind::minimum, {{5}, {0xffffffff}}), (std::vector<std::uint32_t>{5}));
  EXPECT_EQ(merged<std::int64_t>(merge_kind::maximum, {{5}, {-1}}), (std::vector<std::int64_t>{5}));
  EXPECT_EQ(merged<std::uint64_t>(merge_kind::maximum, {{5}, {~std::uint64_t{0}}}),
            (std::vector<std::uint64_t>{~std::uint64_t{0}}));
}

TEST(MergeOnHost, RefusesAnInputOfTheWrongSize)
{
  reduction_plan plan;
  plan.count = 2;
  const payload right(16);
  const payload wrong(8);
  const std::vector<std::span<const std::byte>> inputs{right, wrong};
  const auto value = merge_on_host(plan, inputs);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().detail, "a member's input of 8 bytes does not fit");
}

TEST(PlanFor, AddsExactStatesLimbByLimb)
{
  const auto plan = plan_for(value_table_of<fastgpu::sum<double>, double>, fold_kind::exact, 1);
  EXPECT_EQ(plan.how, method::reduce);
  EXPECT_EQ(plan.scalar, scalar_kind::int64);
  EXPECT_EQ(plan.merge, merge_kind::sum);
  EXPECT_EQ(plan.count * 8, sizeof(fastgpu::detail::exact_state<fastgpu::sum<double>>));
}

TEST(PlanFor, ReducesNumbersByTheirOwnKind)
{
  const auto sums = plan_for(value_table_of<fastgpu::sum<float>, float>, fold_kind::single, 7);
  EXPECT_EQ(sums.how, method::reduce);
  EXPECT_EQ(sums.scalar, scalar_kind::float32);
  EXPECT_EQ(sums.count, 7u);
  const auto least = plan_for(value_table_of<fastgpu::minimum<std::uint64_t>, std::uint64_t>, fold_kind::single, 1);
  EXPECT_EQ(least.how, method::reduce);
  EXPECT_EQ(least.scalar, scalar_kind::uint64);
  EXPECT_EQ(least.merge, merge_kind::minimum);
}

TEST(PlanFor, GathersWhatNoLibraryMergesAsWeDo)
{
  const auto gathers = [](const fastgpu::detail::value_table& values, fold_kind fold) {
    return plan_for(values, fold, 1).how == method::gather;
  };
  EXPECT_TRUE(gathers(value_table_of<fastgpu::sum<double>, double>, fold_kind::ordered));
  EXPECT_TRUE(gathers(value_table_of<fastgpu::minimum<float>, float>, fold_kind::single));  // NaN, and -0 below +0
  EXPECT_TRUE(gathers(value_table_of<fastgpu::product<std::int64_t>, std::int64_t>, fold_kind::single));
  EXPECT_TRUE(gathers(value_table_of<fastgpu::sum<std::int16_t>, std::int16_t>, fold_kind::single));
  EXPECT_TRUE(gathers(value_table_of<fastgpu::arg_minimum<int>, fastgpu::located<int>>, fold_kind::single));
}

TEST(ReductionPolicy, SaysNoUntilItWasMeasured)
{
  EXPECT_FALSE(reduction_policy{}.use_group(8, std::size_t{1} << 40));
}

TEST(ReductionPolicy, SaysYesFromItsThresholdOnForTwoOrMore)
{
  const reduction_policy p{.bytes_min = 4096};
  EXPECT_FALSE(p.use_group(2, 4095));
  EXPECT_TRUE(p.use_group(2, 4096));
  EXPECT_FALSE(p.use_group(1, 4096));
}

TEST(MeasuredThreshold, IsTheSizeFromWhichOnTheGroupIsFaster)
{
  // 1 KiB was luck: 64 KiB is slower again.
  EXPECT_EQ(measured_threshold({{1 << 20, 1.0, 2.0}, {1 << 10, 1.0, 1.5}, {1 << 26, 2.0, 90.0}, {1 << 16, 1.0, 0.9}}),
            std::size_t{1} << 20);
}

TEST(MeasuredThreshold, IsNeverReachedWhereTheLargestIsSlower)
{
  constexpr auto never = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(measured_threshold({{1024, 1.0, 2.0}, {4096, 2.0, 1.0}}), never);
  EXPECT_EQ(measured_threshold({{1024, 1.0, 2.0}}), never);  // one size says nothing of others
  EXPECT_EQ(measured_threshold({}), never);
}

TEST(GatheredInputs, AreTheirOwnSizesLong)
{
  EXPECT_EQ(fastgpu::detail::gather_block_bytes(5), 16u);
  payload gathered(32);
  gathered[0] = std::byte{7};
  gathered[8] = std::byte{3};   // the first has 3 bytes,
  gathered[24] = std::byte{0};  // the second none
  const auto inputs = fastgpu::detail::gathered_inputs(gathered, 2, 5);
  ASSERT_TRUE(inputs);
  ASSERT_EQ(inputs.value().size(), 2u);
  EXPECT_EQ(inputs.value()[0].size(), 3u);
  EXPECT_EQ(inputs.value()[0][0], std::byte{7});
  EXPECT_EQ(inputs.value()[1].size(), 0u);

  gathered[8] = std::byte{6};
  EXPECT_FALSE(fastgpu::detail::gathered_inputs(gathered, 2, 5));
}

}  // namespace

#include <fastgpu/team.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/fastgpu.hpp>

#include "support/host_team.hpp"

namespace {

using fastgpu::block;
using fastgpu::index;
using fastgpu::team;

template <int N>
std::vector<std::array<std::int64_t, 3>> visited(const team& t, const block<N>& b)
{
  std::vector<std::array<std::int64_t, 3>> at;
  t.for_each(b, [&](index<N> i) {
    std::array<std::int64_t, 3> one{};
    for (int d = 0; d < N; ++d) one[static_cast<std::size_t>(d)] = i[d];
    at.push_back(one);
  });
  return at;
}

/// The k-th index goes to thread k mod size, in order.
template <int N>
void expect_shared_out(const block<N>& b)
{
  const auto all = visited(team{nullptr, 0}, b);
  ASSERT_EQ(static_cast<std::int64_t>(all.size()), std::max<std::int64_t>(b.count(), 0));
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  for (const int size : {1, 2, 3, 5, 8, 32, 256}) {
    for (int rank = 0; rank < size; ++rank) {
      const auto mine = visited(fastgpu::detail::team_thread::make({nullptr, 0}, rank, size, nullptr, nullptr), b);
      std::size_t n = 0;
      for (auto k = static_cast<std::size_t>(rank); k < all.size(); k += static_cast<std::size_t>(size)) {
        ASSERT_LT(n, mine.size());
        ASSERT_EQ(mine[n++], all[k]) << "thread " << rank << " of " << size;
      }
      ASSERT_EQ(mine.size(), n);
    }
  }
}

TEST(Team, SharesOutTheIndicesOfABlock)
{
  expect_shared_out(block<1>{{-3}, {40}});
  expect_shared_out(block<1>{{5}, {6}});
  for (const std::int64_t columns : {1, 2, 7, 31, 32, 33, 300}) {
    expect_shared_out(block<2>{{-2, 4}, {9, 4 + columns}});
  }
  expect_shared_out(block<3>{{1, -1, 7}, {4, 6, 12}});
  expect_shared_out(block<3>{{0, 0, 0}, {300, 1, 1}});
}

TEST(Team, DoesNothingWithAnEmptyBlock)
{
  expect_shared_out(block<1>{{4}, {4}});
  expect_shared_out(block<2>{{0, 3}, {5, 3}});
  expect_shared_out(block<3>{{0, 0, 0}, {0, 4, 4}});
}

/// Turns each block round, through shared memory, and yields its smallest element.
struct turn_round {
  static constexpr bool portable_arithmetic = true;
  static constexpr std::size_t shared_bytes = 1000 * sizeof(std::int32_t);

  std::int32_t operator()(const team& t, block<1> b, fastgpu::in1<std::int32_t> in,
                          fastgpu::out1<std::int32_t> out) const
  {
    auto* there = t.shared<std::int32_t>(b.count());
    t.for_each(b, [&](index<1> i) { there[b.end[0] - 1 - i[0]] = in(i); });
    t.sync();
    t.for_each(b, [&](index<1> i) { out(i) = there[i[0] - b.begin[0]]; });
    return t.rank() == 0 ? *std::min_element(there, there + b.count()) : -1;
  }
};

TEST(Team, ReadsAfterASyncWhatOthersHaveWritten)
{
  std::vector<std::int32_t> in(777);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::int32_t>(i * 7919 % 1000);
  const auto n = static_cast<std::int64_t>(in.size());
  for (const int size : {1, 2, 4, 7}) {
    std::vector<std::int32_t> out(in.size());
    support::run_team(size, turn_round::shared_bytes, [&](const team& t) {
      const auto least = turn_round{}(t, {{0}, {n}}, {in.data(), {}, {n}, {1}}, {out.data(), {}, {n}, {1}});
      EXPECT_EQ(least, t.rank() == 0 ? *std::min_element(in.begin(), in.end()) : -1);
    });
    EXPECT_TRUE(std::equal(out.begin(), out.end(), in.rbegin())) << size << " threads";
  }
}

TEST(Team, OfOneRunsOnTheHost)
{
  std::vector<std::int32_t> in(10'007);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::int32_t>(1'000'000 - i);
  std::vector<std::int32_t> out(in.size());
  fastgpu::cluster cluster{"host:2"};
  for (const auto mode : {fastgpu::reduction::ordered, fastgpu::reduction::fast}) {
    std::fill(out.begin(), out.end(), 0);
    const auto job =
        fastgpu::make_job(fastgpu::space(10'007, fastgpu::by_size{1000}), turn_round{}, fastgpu::slices(in),
                          fastgpu::gather(out), fastgpu::reduced(fastgpu::minimum<std::int32_t>{}));
    auto run = fastgpu::execute(cluster, job, {.reduction = mode});
    EXPECT_EQ(fastgpu::aggregate(run).get(), 1'000'000 - 10'006);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const auto begin = i / 1000 * 1000;
      const auto end = std::min<std::size_t>(begin + 1000, in.size());
      ASSERT_EQ(out[i], in[end - 1 - (i - begin)]) << i;
    }
  }
}

TEST(Team, FailsTheRunWhereABlockNeedsMoreMemoryThanItSays)
{
  std::vector<std::int32_t> in(1001);
  std::vector<std::int32_t> out(in.size());
  fastgpu::cluster cluster{"host:1"};
  const auto job = fastgpu::make_job(fastgpu::space(1001, fastgpu::by_size{1001}), turn_round{}, fastgpu::slices(in),
                                     fastgpu::gather(out), fastgpu::reduced(fastgpu::minimum<std::int32_t>{}));
  auto run = fastgpu::execute(cluster, job);
  try {
    (void)fastgpu::aggregate(run);
    FAIL();
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.code(), fastgpu::errc::kernel_failed);
    EXPECT_NE(std::string{e.what()}.find("uses 4004 bytes of shared memory, and its shared_bytes are 4000"),
              std::string::npos)
        << e.what();
  }
}

}  // namespace

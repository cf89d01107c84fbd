#include "node/received_job.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "node/job_pieces.hpp"
#include "node/job_shipping.hpp"
#include "node/shipped_jobs.hpp"

namespace {

using fastgpu::errc;
using fastgpu::detail::content_cache;
using fastgpu::detail::describe_job;
using fastgpu::detail::fold_kind;
using fastgpu::detail::interval_set;
using fastgpu::detail::is_range_of;
using fastgpu::detail::job_data_piece;
using fastgpu::detail::pack_piece;
using fastgpu::detail::pieces_for;
using fastgpu::detail::received_job;
using fastgpu::detail::ref;
using fastgpu::detail::whole_piece;

/// A job with an argument of each kind, here and as a node has it.
class ReceivedJob : public testing::Test {
 protected:
  const shipped::example example_ = shipped::everything_job({{6, 7, 9}}, fold_kind::ordered);
  const fastgpu::detail::job_data& home_ = example_.job->data;
  content_cache contents_{1 << 20};
  ref<received_job> job_ = received_job::make(describe_job(home_, example_.fold), contents_).value();

  /// What `change` makes of a piece of argument `number` is refused.
  template <class Change>
  void expect_refused(std::uint32_t number, const Change& change)
  {
    auto piece = whole_piece(home_, 0);
    piece.argument = number;
    if (number != 0) {
      for (int d = 0; d < 3; ++d) piece.end[d] = home_.arguments[number].extent[d];
    }
    auto bytes = pack_piece(home_, piece);
    change(piece, bytes);
    const auto why = job_->store_piece(piece, bytes);
    ASSERT_TRUE(why);
    EXPECT_EQ(why->code, errc::protocol_error);
    EXPECT_NE(why->detail.find("argument " + std::to_string(piece.argument)), std::string::npos) << why->detail;
  }
};

TEST_F(ReceivedJob, MissesItsBroadcastsUntilTheyCome)
{
  EXPECT_EQ(job_->missing(), (std::vector<std::uint32_t>{0, 1}));
  ASSERT_FALSE(job_->store_piece(whole_piece(home_, 1), pack_piece(home_, whole_piece(home_, 1))));
  EXPECT_EQ(job_->missing(), (std::vector<std::uint32_t>{0}));
  ASSERT_FALSE(job_->store_piece(whole_piece(home_, 0), pack_piece(home_, whole_piece(home_, 0))));
  EXPECT_TRUE(job_->missing().empty());
  ASSERT_FALSE(job_->store_piece(whole_piece(home_, 0), pack_piece(home_, whole_piece(home_, 0))));  // once more
}

TEST_F(ReceivedJob, SaysHowMuchItsDataTake)
{
  EXPECT_EQ(job_->data_bytes(), 6u * 7u * 9u * (sizeof(float) + 1 + sizeof(float)));  // field, mask, out
}

TEST_F(ReceivedJob, SharesBroadcastsWithTheJobsBeforeIt)
{
  for (const auto i : job_->missing()) {
    ASSERT_FALSE(job_->store_piece(whole_piece(home_, i), pack_piece(home_, whole_piece(home_, i))));
  }
  const auto next = received_job::make(describe_job(home_, example_.fold), contents_).value();
  EXPECT_TRUE(next->missing().empty());
  EXPECT_EQ(next->data.arguments[0].data, job_->data.arguments[0].data);
}

TEST_F(ReceivedJob, RefusesPiecesThatDoNotFit)
{
  const auto nothing = [](job_data_piece&, std::vector<std::byte>&) {};
  expect_refused(3, [](job_data_piece& p, auto&) { p.argument = 6; });
  expect_refused(5, nothing);                                           // an output
  expect_refused(3, [](job_data_piece& p, auto&) { p.argument = 4; });  // a value
  expect_refused(3, [](job_data_piece& p, auto&) { p.begin[0] = -1; });
  expect_refused(3, [](job_data_piece& p, auto&) { p.end[1] = 8; });
  expect_refused(3, [](job_data_piece& p, auto&) { p.begin[2] = p.end[2]; });
  expect_refused(3, [](job_data_piece& p, auto&) { p.end[2] = INT64_MIN; });
  expect_refused(3, [](job_data_piece&, auto& bytes) { bytes.pop_back(); });
  expect_refused(3, [](job_data_piece&, auto& bytes) { bytes.push_back({}); });
  expect_refused(3, [](job_data_piece& p, auto&) { p.end[0] = 2; });
  expect_refused(0, [](job_data_piece& p, auto&) { p.end[1] = 2; });
  expect_refused(0, [](job_data_piece& p, auto& bytes) { p.end[0] = 2, bytes.resize(16); });  // a part
  expect_refused(0, [](job_data_piece&, auto& bytes) { bytes[3] ^= std::byte{1}; });          // another content
  EXPECT_EQ(job_->missing().size(), 2u);
}

TEST_F(ReceivedJob, RefusesRandomPiecesOrHasRoomForThem)
{
  std::mt19937_64 random{1};
  std::uint64_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    job_data_piece piece;
    piece.argument = static_cast<std::uint32_t>(random() % 7);
    std::uint64_t count = 1;
    for (int d = 0; d < 3; ++d) {
      piece.begin[d] = static_cast<std::int64_t>(random() % 10) - 1;
      piece.end[d] = piece.begin[d] + static_cast<std::int64_t>(random() % 5) - 1;
      count *= static_cast<std::uint64_t>(std::max<std::int64_t>(piece.end[d] - piece.begin[d], 0));
    }
    const std::uint64_t element = piece.argument == 2 ? 4 : piece.argument == 0 ? 8 : 1;
    const std::vector<std::byte> bytes(count * element + (random() % 10 == 0 ? 1 : 0));
    taken += job_->store_piece(piece, bytes) ? 0u : 1u;
  }
  EXPECT_GT(taken, 100u);
}

TEST_F(ReceivedJob, GivesBackWholePagesOfOutputs)
{
  const fastgpu::space<1> over{fastgpu::extents<1>{{100'000}}, fastgpu::by_size{1000}};
  const auto big = shipped::scale_job("big", over, 100'000);
  const auto job = received_job::make(describe_job(big.job->data, big.fold), contents_).value();
  auto* out = static_cast<double*>(job->data.arguments[2].data);
  for (int i = 0; i < 100'000; ++i) out[i] = 1;
  job->give_back(interval_set{{10, 20}});
  EXPECT_EQ(out[15'000], 0.0);
  EXPECT_EQ(out[9'999], 1.0);  // of another subtask
  EXPECT_EQ(out[20'000], 1.0);
}

TEST(IsRangeOf, TakesWholeSpansOfTheJob)
{
  const fastgpu::space<1> over{fastgpu::extents<1>{{(1 << 16) - 1}}, fastgpu::by_size{1}};
  const auto made = fastgpu::make_job(over, shipped::rough_of{}, fastgpu::reduced(fastgpu::sum<double>{}));
  const auto& job = made.data();
  EXPECT_TRUE(is_range_of(job, {0, 4}));
  EXPECT_TRUE(is_range_of(job, {65532, 65535}));
  EXPECT_FALSE(is_range_of(job, {0, 0}));
  EXPECT_FALSE(is_range_of(job, {8, 4}));
  EXPECT_FALSE(is_range_of(job, {2, 4}));
  EXPECT_FALSE(is_range_of(job, {4, 6}));
  EXPECT_FALSE(is_range_of(job, {65532, 65536}));
}

}  // namespace

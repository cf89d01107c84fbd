#include "execute/coordinator.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/interval_sets.hpp"
#include "support/virtual_clock.hpp"

namespace {

using fastgpu::device_id;
using fastgpu::errc;
using fastgpu::failure;
using fastgpu::interval;
using fastgpu::make_error_code;
using fastgpu::detail::arrived_values;
using fastgpu::detail::coordinator;
using fastgpu::detail::coordinator_options;
using fastgpu::detail::interval_set;
using fastgpu::detail::seal_report;
using support::set_of;

using intervals = std::vector<interval>;

constexpr device_id first{0};
constexpr device_id second{1};
const failure died{make_error_code(errc::node_lost), "its process died"};

/// Writes down what it is told.
struct told_participant final : fastgpu::detail::participant {
  intervals granted;
  intervals staged;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> asked_back;
  std::vector<std::pair<std::uint64_t, interval_set>> seals;
  std::vector<std::uint64_t> acknowledged;

  void grant(std::span<const interval> ranges) override { granted.insert(granted.end(), ranges.begin(), ranges.end()); }
  void stage(interval range) override { staged.push_back(range); }
  void take_back(std::uint32_t request, std::uint64_t n) override { asked_back.emplace_back(request, n); }
  void seal(std::uint64_t request, const interval_set& revoked) override { seals.emplace_back(request, revoked); }
  void acknowledge(std::uint64_t seal) override { acknowledged.push_back(seal); }
};

struct no_values final : arrived_values {};
std::unique_ptr<arrived_values> values() { return std::make_unique<no_values>(); }

seal_report folded(std::uint64_t seal, const intervals& fold_set)
{
  seal_report report;
  report.seal = seal;
  report.fold_set = set_of(fold_set);
  report.counter = report.fold_set.count();
  return report;
}
seal_report dropped(std::uint64_t seal, const intervals& parts)
{
  seal_report report;
  report.seal = seal;
  report.dropped = set_of(parts);
  return report;
}

class Coordinator : public testing::Test, public fastgpu::detail::coordinator_owner {
 protected:
  /// Two that are as fast as each other, and everything with the first.
  void begin(std::uint32_t subtasks, coordinator_options options, double speed = 10)
  {
    boss_.emplace(world_, *this, subtasks, options);
    (void)boss_->add();
    (void)boss_->add();
    boss_->reserve(first, {0, subtasks});
    boss_->joined(first, links_[0], {.workers = 1, .subtasks_per_second = speed});
    boss_->joined(second, links_[1], {.workers = 1, .subtasks_per_second = speed});
    boss_->start();
  }

  /// The first is at all of `subtasks`, for long; the second has made a backup of the last.
  void overtake(std::uint32_t subtasks)
  {
    begin(subtasks, {.backup_share = 1});
    boss_->taken_back(first, 1, {});  // what the second would have
    boss_->progress(first, subtasks, 0, 0);
    world_.pass(10);
    boss_->tick();
    ASSERT_EQ(links_[1].staged, (intervals{{subtasks - 1, subtasks}}));
    boss_->backed_up(second, {subtasks - 1, subtasks}, values());
    ASSERT_EQ(links_[0].seals.size(), 1u);
    seal_report answer;
    answer.seal = answer.answers = 1;
    boss_->sealed(first, answer, nullptr);
    ASSERT_TRUE(committed_.contains(interval{subtasks - 1, subtasks}));
  }

  void commit(arrived_values&, const interval_set& fold_set) override { committed_.insert(fold_set); }
  void distrust(device_id, const failure& why) override { distrusted_.push_back(why.detail); }
  void decided(const std::optional<failure>& why) override { decided_.push_back(why ? why->detail : "done"); }

  support::virtual_clock world_;
  told_participant links_[2];
  std::optional<coordinator> boss_;
  interval_set committed_;
  std::vector<std::string> distrusted_;
  std::vector<std::string> decided_;
};

TEST_F(Coordinator, LetsAPrimaryDropWhatABackupHasWonTogetherWithTheRest)
{
  overtake(4);
  // All four were in one partial of a worker, and values cannot be taken out again.
  boss_->sealed(first, dropped(2, {{0, 4}}), nullptr);
  EXPECT_EQ(distrusted_, (std::vector<std::string>{}));
  EXPECT_EQ(links_[0].acknowledged, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(boss_->book().committed().intervals(), (intervals{{3, 4}}));
  interval_set again;  // the other three run once more
  for (std::size_t i = 1; i < links_[0].granted.size(); ++i) again.insert(links_[0].granted[i]);
  for (const auto& range : links_[1].granted) again.insert(range);
  EXPECT_EQ(again.intervals(), (intervals{{0, 3}}));
}

TEST_F(Coordinator, LetsAPrimaryGiveBackWhatABackupHasWon)
{
  overtake(4);
  boss_->taken_back(first, 0, set_of({{2, 4}}));
  EXPECT_EQ(distrusted_, (std::vector<std::string>{}));
  EXPECT_EQ(boss_->book().committed().intervals(), (intervals{{3, 4}}));
}

TEST_F(Coordinator, RunsAWholeSpanAgainWhereOneSubtaskOfItIsSuspected)
{
  begin(64, {.span = 16});
  boss_->left(first, set_of({{20, 21}}), died, true);
  EXPECT_EQ(boss_->retries(), 1u);
  for (const auto& range : links_[1].granted) {
    EXPECT_EQ(range.begin % 16, 0u) << range.begin;
    EXPECT_EQ(range.end % 16, 0u) << range.end;
  }
}

TEST_F(Coordinator, SuspectsNothingThatTheLostDidNotHold)
{
  overtake(4);
  boss_->left(first, set_of({{3, 4}, {100, 101}}), died, true);  // the fourth is committed, and there are no more
  EXPECT_EQ(boss_->retries(), 0u);
  EXPECT_EQ(boss_->book().assigned(second).intervals(), (intervals{{0, 3}}));
}

TEST_F(Coordinator, AsksForABackupOfTheSameOnceUntilItIsAnswered)
{
  begin(4, {.backup_share = 1});
  boss_->taken_back(first, 1, {});
  boss_->progress(first, 4, 0, 0);
  world_.pass(10);
  boss_->tick();
  ASSERT_EQ(links_[1].staged, (intervals{{3, 4}}));
  // The primary is lost. What it had goes to the second, who fails at it, and then to a third, who is slow in turn.
  const auto third = boss_->add();
  told_participant slow;
  boss_->joined(third, slow, {.workers = 1, .subtasks_per_second = 10});
  boss_->left(first, {}, died, false);
  ASSERT_EQ(boss_->book().assigned(second).count(), 4u);
  boss_->failed(second, {0, 4}, false, died);
  ASSERT_EQ(boss_->book().assigned(third).count(), 4u);
  boss_->progress(third, 4, 0, 0);
  boss_->progress(second, 4, 0, 0);
  world_.pass(10);
  boss_->tick();
  EXPECT_EQ(links_[1].staged, (intervals{{3, 4}})) << "it has not answered yet";
  boss_->backed_up(second, {3, 4}, values());
  world_.pass(10);
  boss_->tick();
  EXPECT_EQ(links_[1].staged, (intervals{{3, 4}, {3, 4}}));
}

TEST_F(Coordinator, BacksUpWhatASilentNodeDoesNotGiveBack)
{
  begin(4, {});
  ASSERT_EQ(links_[0].asked_back.size(), 1u);
  world_.pass(0.5);
  boss_->tick();
  EXPECT_EQ(links_[1].staged, (intervals{}));
  ASSERT_TRUE(boss_->next_tick());
  world_.pass(0.6);
  EXPECT_LE(boss_->next_tick()->count, world_.now().count);
  boss_->tick();
  EXPECT_EQ(links_[1].staged, (intervals{{3, 4}}));
  EXPECT_EQ(links_[0].asked_back.size(), 1u);
}

TEST_F(Coordinator, GivesNothingToASuspectAndBacksUpWhatItHas)
{
  begin(100, {});
  boss_->taken_back(first, 1, {});
  boss_->progress(first, 100, 50, 50);
  const auto asked = links_[0].asked_back.size();
  boss_->suspected(first, true);
  world_.pass(0.2);
  boss_->tick();
  EXPECT_EQ(links_[0].asked_back.size(), asked);  // it would not answer
  ASSERT_EQ(links_[1].staged.size(), 1u);

  boss_->failed(second, links_[1].staged[0], true, died);
  const auto granted = links_[0].granted.size();
  boss_->left(second, {}, died, true);
  boss_->taken_back(first, 0, set_of({{50, 60}}));
  EXPECT_EQ(links_[0].granted.size(), granted);
  boss_->suspected(first, false);
  EXPECT_EQ(links_[0].granted.size(), granted + 1);
  EXPECT_EQ(distrusted_, (std::vector<std::string>{}));
}

TEST_F(Coordinator, GoesOnWithoutWhoIsLostAgainAndAgain)
{
  begin(100, {.losses_max = 3});
  for (int loss = 1; loss <= 3; ++loss) {
    boss_->left(first, {}, died, true);
    EXPECT_EQ(boss_->joined(first, links_[0], {}), loss < 3) << loss;
  }
  EXPECT_EQ(decided_, (std::vector<std::string>{}));
  for (int loss = 1; loss <= 3; ++loss) {
    ASSERT_EQ(decided_, (std::vector<std::string>{})) << loss;
    boss_->left(second, {}, died, true);
    (void)boss_->joined(second, links_[1], {});
  }
  ASSERT_EQ(decided_.size(), 1u);
  EXPECT_NE(decided_[0].find("again and again"), std::string::npos) << decided_[0];
}

TEST_F(Coordinator, ForgivesLossesOnceSomethingIsCommittedOrItWasThereForLong)
{
  begin(100, {.losses_max = 2});
  for (int loss = 0; loss < 5; ++loss) {
    world_.pass(100);
    boss_->left(first, {}, died, true);
    EXPECT_TRUE(boss_->joined(first, links_[0], {})) << loss;
  }
  boss_->left(second, {}, died, false);
  world_.pass(100);
  for (std::uint32_t loss = 0; loss < 5; ++loss) {
    boss_->left(first, {}, died, true);
    ASSERT_TRUE(boss_->joined(first, links_[0], {})) << loss;
    boss_->sealed(first, folded(1, {{loss, loss + 1}}), values());
  }
  EXPECT_EQ(decided_, (std::vector<std::string>{}));
  EXPECT_EQ(distrusted_, (std::vector<std::string>{}));
}

TEST_F(Coordinator, HearsNothingMoreOfWhoContradictsTheLedger)
{
  begin(10, {});
  boss_->sealed(first, folded(2, {{0, 1}}), values());  // the first seal is missing
  ASSERT_EQ(distrusted_.size(), 1u);
  boss_->sealed(first, folded(1, {{0, 1}}), values());
  EXPECT_TRUE(committed_.empty());
  boss_->left(first, {}, died, true);
  ASSERT_TRUE(boss_->joined(first, links_[0], {}));
  EXPECT_EQ(distrusted_.size(), 1u);
}

TEST_F(Coordinator, DistrustsWhoSplitsASpan)
{
  begin(64, {.span = 16});
  boss_->taken_back(first, 1, set_of({{60, 64}}));
  EXPECT_EQ(distrusted_.size(), 1u);
  boss_->left(first, {}, died, true);
  ASSERT_TRUE(boss_->joined(first, links_[0], {}));
  boss_->left(second, {}, died, false);
  boss_->sealed(first, dropped(1, {{16, 30}}), nullptr);
  EXPECT_EQ(distrusted_.size(), 2u);
}

TEST_F(Coordinator, LeavesAloneWhoHasOnlyWhatMayNotMoveAnyMore)
{
  begin(100, {.backup_share = 0, .moves_max = 1});
  ASSERT_EQ(links_[0].asked_back.size(), 1u);
  boss_->taken_back(first, 1, set_of({{50, 100}}));
  ASSERT_EQ(links_[1].granted, (intervals{{50, 100}}));
  // The second gives it all to the first by failing at it ...
  boss_->left(second, {}, died, true);
  ASSERT_EQ(boss_->book().assigned(first).count(), 100u);
  // ... and comes back, idle. What has moved once stays.
  boss_->joined(second, links_[1], {.workers = 1, .subtasks_per_second = 10});
  ASSERT_EQ(links_[0].asked_back.size(), 2u);
  boss_->taken_back(first, 2, set_of({{50, 100}}));
  EXPECT_EQ(links_[0].granted.back(), (interval{50, 100}));
  for (int i = 0; i < 20; ++i) {
    world_.pass(0.2);
    boss_->tick();
  }
  EXPECT_EQ(links_[0].asked_back.size(), 2u);
}

TEST_F(Coordinator, BacksUpWhatMayNotMoveAnyMore)
{
  begin(100, {.backup_share = 1, .moves_max = 1});
  boss_->taken_back(first, 1, set_of({{50, 100}}));
  boss_->left(second, {}, died, true);
  boss_->joined(second, links_[1], {.workers = 1, .subtasks_per_second = 10});
  boss_->taken_back(first, 2, set_of({{50, 100}}));
  EXPECT_EQ(links_[1].staged, (intervals{})) << "not at once";
  world_.pass(0.2);
  boss_->tick();
  EXPECT_EQ(links_[1].staged, (intervals{{99, 100}}));
}

TEST_F(Coordinator, AsksADrainingNodeNoMoreOnceItHasNothingToGiveBack)
{
  begin(100, {});
  boss_->taken_back(first, 1, set_of({{50, 100}}));
  boss_->drains(first);
  boss_->tick();
  ASSERT_EQ(links_[0].asked_back.size(), 2u);
  boss_->taken_back(first, 2, {});  // all is begun
  boss_->tick();
  EXPECT_EQ(links_[0].asked_back.size(), 2u);
}

TEST_F(Coordinator, HasWorkForWhoWasRobbedOfEverything)
{
  begin(100, {.backup_share = 0});
  boss_->taken_back(first, 1, set_of({{0, 100}}));
  ASSERT_EQ(boss_->book().assigned(second).count(), 100u);
  world_.pass(0.2);
  boss_->tick();
  EXPECT_EQ(links_[1].asked_back.size(), 1u);
}

TEST_F(Coordinator, LeavesANodeTheTimeThatASpanTakes)
{
  begin(64, {.span = 64, .backup_share = 1});
  boss_->taken_back(first, 1, {});
  boss_->progress(first, 64, 0, 0);  // ten a second: it will be at it for six seconds
  world_.pass(5);
  boss_->tick();
  EXPECT_EQ(links_[1].staged, (intervals{}));
  world_.pass(10);
  boss_->tick();
  EXPECT_EQ(links_[1].staged, (intervals{{0, 64}}));
}

TEST_F(Coordinator, CountsTheTimeInWhichNothingWasDone)
{
  begin(1000, {});
  boss_->taken_back(first, 1, set_of({{500, 1000}}));
  for (std::uint32_t i = 1; i <= 20; ++i) {  // the first does one in two seconds, and tells more often
    world_.pass(0.5);
    boss_->progress(first, 500, i / 4, 500 - i / 4);
  }
  boss_->progress(second, 500, 500, 0);  // fifty a second
  ASSERT_EQ(links_[0].asked_back.size(), 2u);
  EXPECT_GE(links_[0].asked_back[1].second, 485u);  // of 495, a hundredth stays
}

TEST_F(Coordinator, BacksUpWhoIsSlowerThanAllOthersAfterTheirTime)
{
  begin(4, {.backup_share = 1});
  boss_->taken_back(first, 1, {});
  for (int i = 0; i < 100; ++i) {
    world_.pass(1);
    boss_->progress(first, 4, i / 50, 2);  // it has become slow: its own usual time would be a minute
  }
  boss_->progress(first, 4, 1, 0);
  world_.pass(3);
  boss_->tick();
  EXPECT_EQ(links_[1].staged.size(), 1u);
}

TEST_F(Coordinator, BacksNothingUpAgainThatANodeDiedOf)
{
  begin(4, {.backup_share = 1});
  boss_->taken_back(first, 1, {});
  boss_->progress(first, 4, 0, 0);
  world_.pass(10);
  boss_->tick();
  ASSERT_EQ(links_[1].staged, (intervals{{3, 4}}));
  boss_->left(second, set_of({{3, 4}}), died, true);
  boss_->joined(second, links_[1], {.workers = 1, .subtasks_per_second = 10});
  EXPECT_EQ(links_[1].staged, (intervals{{3, 4}, {2, 3}}));
}

TEST_F(Coordinator, BacksUpSmallSubtasksTogether)
{
  begin(100'000, {.span = 16, .backup_share = 1}, 10'000);
  boss_->taken_back(first, 1, {});
  boss_->progress(first, 100'000, 0, 0);
  world_.pass(1);
  boss_->tick();
  EXPECT_EQ(links_[1].staged, (intervals{{99'008, 100'000}}));  // what takes it a tenth of a second
}

TEST_F(Coordinator, LetsManyIdleOnesLookMoreRarely)
{
  constexpr std::uint32_t many = 500;
  std::vector<told_participant> idle(many);
  begin(1, {.backup_share = 0});
  for (auto& link : idle) boss_->joined(boss_->add(), link, {.workers = 1, .subtasks_per_second = 10});
  const auto looks_in = [&](double time) {
    int looks = 0;
    for (const auto end = world_.now().count + time; boss_->next_tick()->count < end; ++looks) {
      world_.pass(std::max(0.0, boss_->next_tick()->count - world_.now().count));
      boss_->tick();
    }
    return looks;
  };
  (void)looks_in(10);  // until they have backed off
  EXPECT_LE(looks_in(10), 25) << "of all of them at a time, which began together";
}

TEST_F(Coordinator, CommitsABackupOnceThePrimaryHasSealedWithoutIt)
{
  overtake(4);
  boss_->sealed(first, folded(2, {{0, 3}}), values());
  EXPECT_EQ(decided_, (std::vector<std::string>{"done"}));
  EXPECT_EQ(boss_->count().backups_won, 1u);
}

TEST_F(Coordinator, DistrustsWhoGivesUpWhatItNeverHad)
{
  begin(100, {});
  boss_->sealed(second, dropped(1, {{0, 1}}), nullptr);
  EXPECT_EQ(distrusted_, (std::vector<std::string>{"it gives up what it does not have"}));
}

}  // namespace

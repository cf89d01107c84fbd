#include "net/admission.hpp"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>

namespace {

using fastgpu::seconds;
using fastgpu::detail::admission;
using fastgpu::detail::admission_limits;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr admission_limits small{.unauthenticated = 3, .per_address = 2, .waiting = 4, .patience = seconds{0.25}};

std::vector<admission::ticket> dropped(const admission::decisions& what)
{
  std::vector<admission::ticket> all;
  for (const auto& one : what.drop) all.push_back(one.who);
  return all;
}

/// Arrives and speaks at once.
admission::decisions come(admission& door, admission::ticket who, const std::string& address, double now)
{
  auto what = door.arrived(who, address, seconds{now});
  auto more = door.spoke(who, seconds{now});
  more.drop.insert(more.drop.begin(), what.drop.begin(), what.drop.end());
  return more;
}

TEST(Admission, GivesNoPlaceToWhoSaysNothing)
{
  admission door{small};
  EXPECT_THAT(door.arrived(1, "a", seconds{0}).begin, IsEmpty());
  EXPECT_EQ(door.placed(), 0u);
  EXPECT_THAT(door.spoke(1, seconds{1}).begin, ElementsAre(1));
}

TEST(Admission, HoldsPlacesForOtherAddresses)
{
  admission door{small};
  EXPECT_THAT(come(door, 1, "a", 0).begin, ElementsAre(1));
  EXPECT_THAT(come(door, 2, "a", 0).begin, ElementsAre(2));
  EXPECT_THAT(come(door, 3, "a", 0).begin, IsEmpty());
  EXPECT_THAT(come(door, 4, "b", 0).begin, ElementsAre(4));
  EXPECT_THAT(door.left(1, seconds{0}).begin, ElementsAre(3));
}

TEST(Admission, GivesThePlaceOfWhoDoesNotGetOnToWhoCameLast)
{
  admission door{small};
  (void)come(door, 1, "a", 0);
  (void)come(door, 2, "a", 0.1);
  EXPECT_THAT(come(door, 3, "a", 0.2).begin, IsEmpty());
  EXPECT_THAT(come(door, 4, "a", 0.2).begin, IsEmpty());
  ASSERT_TRUE(door.next(seconds{0.2}));
  EXPECT_DOUBLE_EQ(door.next(seconds{0.2})->count, 0.25);  // 1's patience
  const auto what = door.tick(seconds{0.25});
  EXPECT_THAT(dropped(what), ElementsAre(1));
  EXPECT_EQ(what.drop.front().why, admission::cause::crowded);
  EXPECT_THAT(what.begin, ElementsAre(4));
}

TEST(Admission, HasPatienceAnewWithWhoHasGotOn)
{
  admission door{small};
  (void)come(door, 1, "a", 0);
  (void)come(door, 2, "a", 0);
  (void)door.proved(1, seconds{0.2});
  (void)come(door, 3, "a", 0.2);
  EXPECT_THAT(dropped(door.tick(seconds{0.25})), ElementsAre(2));
}

TEST(Admission, LetsThemBeWhileNobodyWaits)
{
  admission door{small};
  (void)come(door, 1, "a", 0);
  EXPECT_THAT(dropped(door.tick(seconds{4.9})), IsEmpty());
  EXPECT_DOUBLE_EQ(door.next(seconds{4.9})->count, 5.0);
  const auto what = door.tick(seconds{5.0});
  EXPECT_THAT(dropped(what), ElementsAre(1));
  EXPECT_EQ(what.drop.front().why, admission::cause::deadline);
  EXPECT_FALSE(door.next(seconds{5.0}));
}

TEST(Admission, SendsAwayTheSilentFirstWhereTooManyWait)
{
  admission door{small};
  (void)come(door, 1, "a", 0);
  (void)come(door, 2, "a", 0);
  (void)come(door, 3, "a", 0);  // waits
  (void)door.arrived(4, "b", seconds{0});
  (void)door.arrived(5, "c", seconds{0});
  (void)door.arrived(6, "c", seconds{0});
  EXPECT_THAT(dropped(door.arrived(7, "d", seconds{0})), ElementsAre(4));
  EXPECT_EQ(door.strangers(), 6u);
}

TEST(Admission, DoesNotWakeForWhoIsPastPatienceAndOfNoUse)
{
  admission door{small};
  (void)come(door, 9, "b", 0);   // older than patience, but not in the way of "a"
  (void)come(door, 10, "a", 1);
  (void)come(door, 11, "a", 1);
  (void)come(door, 12, "a", 1);  // waits
  EXPECT_DOUBLE_EQ(door.next(seconds{1})->count, 1.25);
}

TEST(Admission, ForgetsWhoIsDropped)
{
  admission door{small};
  (void)come(door, 1, "a", 0);
  (void)door.tick(seconds{5});
  EXPECT_THAT(door.left(1, seconds{5}).begin, IsEmpty());
  EXPECT_THAT(door.spoke(1, seconds{5}).begin, IsEmpty());
  EXPECT_EQ(door.strangers(), 0u);
  EXPECT_EQ(door.placed(), 0u);
}

// However many stall, an honest one that comes later has its place within one patience.
TEST(Admission, DelaysAnHonestOneByOnePatienceAmongAThousandThatStall)
{
  admission door{{.patience = seconds{0.25}}};
  for (admission::ticket who = 1; who <= 1000; ++who) (void)come(door, who, "a", 0.001 * static_cast<double>(who));
  double now = 1.0;
  for (admission::ticket honest = 1001; honest <= 1020; ++honest) {
    auto begun = come(door, honest, "a", now).begin;
    const double came = now;
    while (std::find(begun.begin(), begun.end(), honest) == begun.end()) {
      const auto next = door.next(seconds{now});
      ASSERT_TRUE(next);
      now = next->count;
      begun = door.tick(seconds{now}).begin;
    }
    EXPECT_LE(now - came, 0.25 + 1e-9);
    (void)door.left(honest, seconds{now});
    now += 0.05;
  }
}

}  // namespace

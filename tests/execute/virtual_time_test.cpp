#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "execute/grants.hpp"
#include "execute/ledger.hpp"
#include "support/virtual_clock.hpp"

/// @file
/// Ledger and grants in virtual time: devices of unequal speed that fail, die, are given up by mistake and seal too
/// late. Whatever happens, every subtask is committed once, or the run fails and says why.

namespace {

using fastgpu::device_id;
using fastgpu::errc;
using fastgpu::failure;
using fastgpu::interval;
using fastgpu::make_error_code;
using fastgpu::detail::grant;
using fastgpu::detail::grants;
using fastgpu::detail::interval_set;
using fastgpu::detail::ledger;
using fastgpu::detail::seal;
using fastgpu::detail::verdict;

constexpr double never = std::numeric_limits<double>::infinity();
constexpr std::uint32_t nothing = std::numeric_limits<std::uint32_t>::max();

struct fault_plan {
  double fail_share = 0;           // of batches
  double die_share = 0;            // of devices
  double suspect_share = 0;        // of devices: given up while they are well
  bool first_is_well = false;      // the first device has none of these faults
  std::uint32_t poison = nothing;  // a subtask at which every batch fails ...
  bool poison_kills = false;       // ... or every device dies
};

class simulation {
 public:
  simulation(std::uint64_t seed, std::uint32_t subtasks, std::uint32_t devices, std::uint32_t span, fault_plan plan)
      : world_{seed},
        book_{subtasks, devices},
        grants_{world_, book_, devices, subtasks, span},
        plan_{plan},
        span_{span},
        devices_(devices),
        commits_(subtasks, 0),
        attempts_(subtasks, 0)
  {
    const auto spans = (subtasks + span - 1) / span;
    for (std::uint32_t d = 0; d < devices; ++d) {
      auto& me = devices_[d];
      const bool is_well = plan.first_is_well && d == 0;
      me.speed = 1 + draw() * 20;
      if (draw() < plan.die_share && !is_well) {
        me.dies_at = draw() * subtasks / 10;
        at(me.dies_at + 1 + draw() * 5, [this, d] { give_up(d); });  // noticed some time later
      }
      if (draw() < plan.suspect_share && !is_well) at(draw() * subtasks / 10, [this, d] { give_up(d); });
      const auto cut = [&](std::uint32_t i) { return std::min(spans * i / devices * span, subtasks); };
      const interval part{cut(d), cut(d + 1)};
      if (part.empty()) continue;
      grants_.start({{d}, part});
      me.queue.push_back(part);
    }
    for (std::uint32_t d = 0; d < devices; ++d) next(d);
  }

  /// Runs to the end. @return false where it got stuck.
  bool run()
  {
    constexpr int events_max = 200'000;
    for (int i = 0; i < events_max && !events_.empty(); ++i) {
      if (over()) return true;
      const auto [time, order, what] = events_.top();
      events_.pop();
      world_.advance_to(time);
      what();
    }
    return over();
  }

  bool over() const { return book_.complete() || grants_.run_failure(); }
  const ledger& book() const { return book_; }
  const std::optional<failure>& run_failure() const { return grants_.run_failure(); }
  const std::vector<int>& commits() const { return commits_; }
  const std::vector<int>& attempts() const { return attempts_; }
  int violations() const { return violations_; }
  int fenced() const { return fenced_; }

 private:
  struct device {
    double speed = 1;
    double dies_at = never;
    std::deque<interval> queue;  // the coordinator's: what is in it can still be stolen
    std::optional<interval> running;
    interval_set folded;  // the open partial
    std::uint64_t counter = 0;
    std::uint32_t incarnation = 1;  // in which the partial was opened
    std::uint32_t failures_in_a_row = 0;
    bool given_up = false;  // by the coordinator; the device may not know
  };

  struct event {
    double time;
    std::uint64_t order;
    std::function<void()> what;
    friend bool operator<(const event& a, const event& b)
    {
      return std::pair{a.time, a.order} > std::pair{b.time, b.order};  // the earliest on top
    }
  };

  double draw() { return static_cast<double>(world_.random() >> 11) * 0x1p-53; }
  double now() { return world_.now().count; }
  void at(double time, std::function<void()> what) { events_.push({time, order_++, std::move(what)}); }

  void next(std::uint32_t d)
  {
    auto& me = devices_[d];
    if (me.given_up || me.running || now() >= me.dies_at) return;
    if (me.queue.empty()) steal_for(d);
    if (me.queue.empty()) {
      send_seal(d);
      return;
    }
    auto& range = me.queue.front();
    const auto spans = static_cast<std::uint32_t>(1 + world_.random() % 6);
    const auto cut = std::min(range.begin + spans * span_, range.end);
    const interval batch{range.begin, cut};
    range.begin = cut;
    if (range.empty()) me.queue.pop_front();
    me.running = batch;
    for (auto s = batch.begin; s < batch.end; ++s) ++attempts_[s];
    at(now() + batch.size() / me.speed * (0.5 + draw()), [this, d] { finish(d); });
  }

  /// The last half of the longest queue's last range.
  void steal_for(std::uint32_t d)
  {
    std::uint32_t victim = d;
    std::uint32_t most = 0;
    for (std::uint32_t v = 0; v < devices_.size(); ++v) {
      if (v == d || devices_[v].queue.empty()) continue;
      std::uint32_t size = 0;
      for (const auto& range : devices_[v].queue) size += range.size();
      if (size > most) {
        most = size;
        victim = v;
      }
    }
    if (victim == d) return;
    auto& queue = devices_[victim].queue;
    auto& range = queue.back();
    const auto spans = (range.size() + span_ - 1) / span_;
    const interval stolen{range.begin + spans / 2 * span_, range.end};
    range.end = stolen.begin;
    if (range.empty()) queue.pop_back();
    book_.move(stolen, {victim}, {d});
    devices_[d].queue.push_back(stolen);
  }

  void finish(std::uint32_t d)
  {
    auto& me = devices_[d];
    if (now() >= me.dies_at || !me.running) return;
    const auto batch = *me.running;
    const bool poisoned = plan_.poison >= batch.begin && plan_.poison < batch.end;
    if (poisoned && plan_.poison_kills) {
      me.dies_at = now();
      at(now() + 1, [this, d] { give_up(d); });
      return;
    }
    me.running.reset();
    if (poisoned || draw() < plan_.fail_share) {
      if (me.given_up) return;  // nobody listens
      ++me.failures_in_a_row;
      hand_out(
          grants_.failed({d}, batch, {make_error_code(errc::device_failed), "a batch failed"}, me.failures_in_a_row));
      if (grants_.tired({d}) && !over()) give_up(d);
    } else {
      me.failures_in_a_row = 0;
      me.folded.insert(batch);
      me.counter += batch.size();
      if (draw() < 0.2) send_seal(d);
    }
    if (!over()) next(d);
  }

  void send_seal(std::uint32_t d)
  {
    auto& me = devices_[d];
    if (me.folded.empty()) return;
    const seal sent{{d}, me.incarnation, std::exchange(me.counter, 0)};
    at(now() + draw() * 3, [this, sent, folded = std::exchange(me.folded, {})] { receive(sent, folded); });
  }

  void receive(const seal& sent, const interval_set& folded)
  {
    switch (book_.accept(sent, folded)) {
      case verdict::committed:
        for (const auto& part : folded.intervals()) {
          for (auto s = part.begin; s < part.end; ++s) ++commits_[s];
        }
        break;
      case verdict::fenced: ++fenced_; break;
      case verdict::violation: ++violations_; break;
    }
  }

  /// The coordinator believes that the device is dead. If it is not, it goes on with its batch and seals it, in vain.
  void give_up(std::uint32_t d)
  {
    auto& me = devices_[d];
    if (me.given_up) return;
    me.given_up = true;
    me.queue.clear();
    interval_set in_flight;
    if (me.running) in_flight.insert(*me.running);
    if (now() < me.dies_at) at(now() + 2 + draw() * 5, [this, d] { send_seal(d); });
    hand_out(grants_.lost({d}, in_flight, {make_error_code(errc::device_lost), "it does not answer"}));
  }

  void hand_out(const std::vector<grant>& given)
  {
    for (const auto& g : given) devices_[g.device.value].queue.push_back(g.part);
    if (over()) return;
    for (std::uint32_t d = 0; d < devices_.size(); ++d) {
      at(now(), [this, d] { next(d); });
    }
  }

  support::virtual_clock world_;
  ledger book_;
  grants grants_;
  fault_plan plan_;
  std::uint32_t span_;
  std::vector<device> devices_;
  std::priority_queue<event> events_;
  std::uint64_t order_ = 0;
  std::vector<int> commits_;
  std::vector<int> attempts_;
  int violations_ = 0;
  int fenced_ = 0;
};

struct dimensions {
  std::uint32_t subtasks;
  std::uint32_t devices;
  std::uint32_t span;
};

dimensions any_dimensions(support::virtual_clock& random)
{
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random.random() % n); };
  return {1 + below(200), 1 + below(6), std::uint32_t{1} << below(4)};
}

TEST(VirtualTime, CommitsEverySubtaskOnceOrSaysWhyNot)
{
  constexpr std::uint64_t seeds = 2000;
  int done = 0;
  int exhausted = 0;
  int no_device = 0;
  int fenced = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    support::virtual_clock random{seed};
    const auto [subtasks, devices, span] = any_dimensions(random);
    constexpr double fail_shares[] = {0, 0.03, 0, 0.3};
    const fault_plan plan{.fail_share = fail_shares[seed % 4],
                          .die_share = seed % 5 == 0 ? 0.8 : 0.2,
                          .suspect_share = seed % 7 == 0 ? 0.6 : 0.1};
    simulation all{seed, subtasks, devices, span, plan};
    ASSERT_TRUE(all.run()) << "stuck, with " << all.book().committed().count() << " of " << subtasks << " committed";
    ASSERT_EQ(all.violations(), 0);
    ASSERT_LE(*std::max_element(all.commits().begin(), all.commits().end()), 1);
    fenced += all.fenced();
    if (all.book().complete()) {
      ASSERT_EQ(std::count(all.commits().begin(), all.commits().end(), 1), subtasks);
      ++done;
      continue;
    }
    const auto& why = *all.run_failure();
    ASSERT_TRUE(why.code == errc::retries_exhausted || why.code == errc::no_usable_device) << why.code;
    if (why.code == errc::retries_exhausted) {
      ASSERT_NE(why.detail.find("subtask"), std::string::npos) << why.detail;
      ASSERT_NE(why.detail.find(" failed on device "), std::string::npos) << why.detail;
      ++exhausted;
    } else {
      ASSERT_NE(why.detail.find("no usable device is left"), std::string::npos) << why.detail;
      ++no_device;
    }
  }
  // The seeds have been everywhere.
  EXPECT_GT(done, 1000);
  EXPECT_GT(exhausted, 10);
  EXPECT_GT(no_device, 50);
  EXPECT_GT(fenced, 100);
}

TEST(VirtualTime, IsDoneWhereFewerDevicesAreLostThanASubtaskHasAttempts)
{
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    support::virtual_clock random{seed};
    const auto [subtasks, most, span] = any_dimensions(random);
    const auto devices = std::min(most, 3u);
    simulation all{seed, subtasks, devices, span, {.die_share = 0.6, .suspect_share = 0.6, .first_is_well = true}};
    ASSERT_TRUE(all.run()) << "seed " << seed;
    ASSERT_FALSE(all.run_failure()) << "seed " << seed << ": " << all.run_failure()->detail;
    ASSERT_EQ(std::count(all.commits().begin(), all.commits().end(), 1), subtasks) << "seed " << seed;
  }
}

/// The subtasks that a message names: "subtask 7 ..." or "subtasks 4 to 7 ...".
interval named_in(const std::string& detail)
{
  std::uint32_t begin = 0;
  std::uint32_t last = 0;
  if (std::sscanf(detail.c_str(), "subtasks %u to %u ", &begin, &last) == 2) return {begin, last + 1};
  if (std::sscanf(detail.c_str(), "subtask %u ", &begin) == 1) return {begin, begin + 1};
  return {};
}

TEST(VirtualTime, NamesTheSubtaskThatFailsEverywhere)
{
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    support::virtual_clock random{seed};
    const auto [subtasks, devices, span] = any_dimensions(random);
    const auto poison = static_cast<std::uint32_t>(random.random() % subtasks);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", subtask " + std::to_string(poison) + " of " +
                 std::to_string(subtasks) + " over " + std::to_string(devices) + " devices");
    simulation all{seed, subtasks, devices, span, {.poison = poison}};
    ASSERT_TRUE(all.run());
    ASSERT_TRUE(all.run_failure());
    ASSERT_EQ(all.run_failure()->code, errc::retries_exhausted);
    const auto named = named_in(all.run_failure()->detail);
    ASSERT_EQ(named.begin, poison / span * span) << all.run_failure()->detail;
    ASSERT_EQ(named.end, std::min(named.begin + span, subtasks)) << all.run_failure()->detail;
    ASSERT_EQ(all.attempts()[poison], 3);
  }
}

TEST(VirtualTime, NamesTheSubtaskThatKillsEveryDevice)
{
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    support::virtual_clock random{seed};
    const auto [subtasks, devices, span] = any_dimensions(random);
    const auto poison = static_cast<std::uint32_t>(random.random() % subtasks);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", subtask " + std::to_string(poison) + " of " +
                 std::to_string(subtasks) + " over " + std::to_string(devices) + " devices");
    simulation all{seed, subtasks, devices, span, {.poison = poison, .poison_kills = true}};
    ASSERT_TRUE(all.run());
    ASSERT_TRUE(all.run_failure());
    if (devices < 3) {
      ASSERT_EQ(all.run_failure()->code, errc::no_usable_device);
      continue;
    }
    ASSERT_EQ(all.run_failure()->code, errc::retries_exhausted);
    const auto named = named_in(all.run_failure()->detail);
    ASSERT_TRUE(poison >= named.begin && poison < named.end) << all.run_failure()->detail;
    ASSERT_LE(named.size(), span) << all.run_failure()->detail;
    ASSERT_EQ(all.attempts()[poison], 3);
  }
}

}  // namespace

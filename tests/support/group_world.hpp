#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "nccl/group_member.hpp"
#include "nccl/group_reduction.hpp"
#include "support/fake_gpu.hpp"
#include "support/rendezvous.hpp"
#include "support/virtual_clock.hpp"

/// @file
/// A coordinator and its members in one thread: every message, look and fault is a step that a test may choose.

namespace support {

using fastgpu::detail::group_command;
using fastgpu::detail::group_limits;
using fastgpu::detail::group_member;
using fastgpu::detail::group_outcome;
using fastgpu::detail::group_reduction;
using fastgpu::detail::group_report;
using fastgpu::detail::member_id;
using fastgpu::detail::membership;
using fastgpu::detail::payload;
using fastgpu::detail::reduction_plan;

/// What a test may do to the world beside letting it run.
struct intervention {
  enum class kind {
    kill,     ///< The process dies; nobody knows yet.
    notice,   ///< The failure detector says that the member is gone, be it true or not.
    freeze,   ///< The process stands still,
    thaw,     ///< and goes on.
    leap,     ///< A long time passes in which nobody does anything.
  };
  kind what = kind::kill;
  std::uint32_t who = 0;
};

inline std::string told(const intervention& i)
{
  static constexpr const char* names[] = {"kill", "notice", "freeze", "thaw", "leap"};
  return std::string{names[static_cast<int>(i.what)]} + " " + std::to_string(i.who);
}

class group_world {
 public:
  static constexpr double step_s = 0.02;

  /// @param commit_after  Looks of the coordinator at a value before it is committed.
  group_world(std::uint32_t members, const reduction_plan& plan, std::vector<payload> inputs, std::uint64_t seed = 1,
              std::uint32_t commit_after = 0)
      : plan_{plan}, inputs_{std::move(inputs)}, commit_after_{commit_after}
  {
    membership group;
    for (std::uint32_t i = 0; i < members; ++i) {
      actors_.push_back(std::make_unique<actor>(i, seed + i, meet_));
      group.members.push_back({i});
    }
    begin(group, false);
  }

  /// Another reduction by whom the last one has left.
  void begin_again()
  {
    const auto& last = coordinator_->outcome();
    begin(last.group, last.connected);
  }

  [[nodiscard]] group_reduction& coordinator() { return *coordinator_; }
  [[nodiscard]] rendezvous& meet() { return meet_; }
  [[nodiscard]] virtual_clock& clock() { return clock_; }
  [[nodiscard]] group_member& member(std::uint32_t i) { return *actors_[i]->member; }
  void take_library_away(std::uint32_t i) { actors_[i]->makes.take_away(); }
  [[nodiscard]] bool committed() const { return coordinator_->committed(); }
  [[nodiscard]] const group_outcome& outcome() { return coordinator_->outcome(); }

  /// Steps that there are: of each member a command, a look and a report; and one of the coordinator.
  [[nodiscard]] std::size_t kinds_of_steps() const { return actors_.size() * 3 + 1; }

  void step(std::size_t which)
  {
    if (which == actors_.size() * 3) {
      coordinate();
      return;
    }
    auto& a = *actors_[which / 3];
    if (which % 3 == 2) {
      if (a.to_coordinator.empty()) return;
      auto report = std::move(a.to_coordinator.front());
      a.to_coordinator.pop_front();
      coordinator_->receive({a.number}, std::move(report));
    } else if (a.alive && !a.frozen) {
      if (which % 3 == 1) {
        a.member->poll();
      } else if (!a.to_member.empty()) {
        a.member->receive(a.to_member.front());
        a.to_member.pop_front();
      }
      for (auto& r : a.member->take_reports()) a.to_coordinator.push_back(std::move(r));
    }
    post();
  }

  void apply(const intervention& i)
  {
    auto& a = *actors_[i.who];
    switch (i.what) {
      case intervention::kind::kill:
        a.alive = false;
        a.to_member.clear();
        meet_.died({i.who});
        break;
      case intervention::kind::notice:
        a.to_coordinator.clear();  // its session is over
        a.cut_off = true;
        noticed_.insert({i.who});
        if (!committed()) noticed_in_time_.insert({i.who});
        coordinator_->lost({i.who}, {make_error_code(fastgpu::errc::device_lost), "noticed"});
        break;
      case intervention::kind::freeze: a.frozen = true; break;
      case intervention::kind::thaw: a.frozen = false; break;
      case intervention::kind::leap:
        clock_.advance_to(clock_.now().count + 100);
        leapt_ = true;
        break;
    }
    if (i.what != intervention::kind::leap && i.what != intervention::kind::thaw) hurt_.insert({i.who});
    post();
  }

  /// One step after the other in turn, with a failure detector for who has died, until a value is committed.
  /// @return  Whether it came to that.
  bool run(const std::map<std::size_t, intervention>& at = {}, std::size_t steps_max = 60'000)
  {
    for (std::size_t n = 0; n < steps_max; ++n) {
      if (const auto i = at.find(steps_); i != at.end()) apply(i->second);
      step(steps_ % kinds_of_steps());
      ++steps_;
      if (steps_ % (kinds_of_steps() * 20) == 0) notice_dead();
      if (committed()) return true;
    }
    return false;
  }
  [[nodiscard]] std::size_t steps() const { return steps_; }

  /// Any step at any time.
  bool run_at_random(std::mt19937_64& random, const std::vector<intervention>& faults, std::size_t steps_max = 200'000)
  {
    std::map<std::size_t, intervention> at;
    for (const auto& f : faults) at[random() % 400] = f;
    for (std::size_t n = 0; n < steps_max; ++n) {
      if (const auto i = at.find(n); i != at.end()) apply(i->second);
      step(random() % kinds_of_steps());
      if (n % (kinds_of_steps() * 20) == 0) notice_dead();
      if (committed()) return true;
    }
    return false;
  }

  /// Lets all messages arrive that are on their way.
  void settle()
  {
    for (std::size_t n = 0; n < 200 * kinds_of_steps(); ++n) step(n % kinds_of_steps());
  }

  /// What must hold of a committed value, whatever has happened. @return  What does not; empty where all does.
  [[nodiscard]] std::string broken_law(const payload& expected_of_contributors)
  {
    const auto& o = outcome();
    std::set<member_id> seen;
    for (const auto m : o.contributors) {
      if (!seen.insert(m).second) return "a member contributed twice";
      if (noticed_in_time_.contains(m)) return "a lost member contributed";
    }
    for (const auto m : o.lost) {
      if (!seen.insert(m).second) return "a member was both lost and not";
      if (!hurt_.contains(m) && !leapt_) return "a member was lost to which nothing had happened";
    }
    if (seen.size() != started_with_) return "a member was forgotten";
    if (o.value != expected_of_contributors) return "the value is wrong";
    for (const auto& a : actors_) {
      const bool contributed = std::find(o.contributors.begin(), o.contributors.end(), member_id{a->number}) !=
                               o.contributors.end();
      if (a->input != inputs_[a->number]) return "an input was touched";
      if (!a->alive || a->frozen || a->cut_off) continue;
      if (contributed && (a->member->has_input() || a->member->dismissed())) return "an input was not released";
      if (!contributed && a->offered && !a->member->dismissed()) return "a member was not dismissed";
    }
    return {};
  }

  [[nodiscard]] std::vector<payload> inputs_of(const std::vector<member_id>& members) const
  {
    std::vector<payload> some;
    for (const auto m : members) some.push_back(inputs_[m.value]);
    return some;
  }

 private:
  struct actor {
    actor(std::uint32_t i, std::uint64_t seed, rendezvous& meet)
        : number{i}, on{{.seed = seed}}, makes{meet, on}, member{std::make_unique<group_member>(
                                                              member_id{i}, on, on.create_stream(), makes)}
    {
    }
    std::uint32_t number;
    fake_gpu on;
    host_communicators makes;
    std::unique_ptr<group_member> member;
    payload input;
    bool offered = false;
    bool alive = true;
    bool frozen = false;
    bool cut_off = false;
    std::deque<group_command> to_member;
    std::deque<group_report> to_coordinator;
  };

  void begin(const membership& group, bool connected)
  {
    ++number_;
    started_with_ = group.members.size();
    for (const auto m : group.members) {
      auto& a = *actors_[m.value];
      a.input = inputs_[m.value];
      a.offered = true;
      a.member->offer(number_, plan_, {a.input.data(), a.input.size()});
    }
    coordinator_ = std::make_unique<group_reduction>(
        clock_, plan_, number_, group, connected,
        group_limits{.collective = fastgpu::seconds{10.0}, .abort = fastgpu::seconds{6.0},
                     .host = fastgpu::seconds{10.0}});
    post();
  }

  void coordinate()
  {
    clock_.advance_to(clock_.now().count + step_s * static_cast<double>(kinds_of_steps()));
    coordinator_->tick();
    if (coordinator_->decided() == nullptr) {
      looks_ = 0;
    } else if (looks_++ >= commit_after_) {
      coordinator_->commit();
    }
    post();
  }

  void notice_dead()
  {
    for (const auto& a : actors_) {
      if (!a->alive && !noticed_.contains({a->number})) apply({intervention::kind::notice, a->number});
    }
  }

  void post()
  {
    for (auto& [to, command] : coordinator_->take_commands()) {
      auto& a = *actors_[to.value];
      if (a.alive) a.to_member.push_back(std::move(command));
    }
  }

  const reduction_plan& plan_;
  std::vector<payload> inputs_;
  std::uint32_t commit_after_;
  std::uint32_t looks_ = 0;
  virtual_clock clock_;
  rendezvous meet_;
  std::vector<std::unique_ptr<actor>> actors_;
  std::unique_ptr<group_reduction> coordinator_;
  std::uint64_t number_ = 0;
  std::size_t started_with_ = 0;
  std::size_t steps_ = 0;
  std::set<member_id> noticed_;
  std::set<member_id> noticed_in_time_;
  std::set<member_id> hurt_;
  bool leapt_ = false;
};

}  // namespace support

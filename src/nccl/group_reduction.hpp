#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fastgpu/error.hpp>
#include <fastgpu/seconds.hpp>

#include "execute/environment.hpp"
#include "nccl/group_messages.hpp"

/// @file
/// One reduction of a group, as its coordinator sees it.

namespace fastgpu::inline v0::detail {

/// How long is waited for the slowest member.
struct group_limits {
  seconds collective{10.0};   ///< From the start of a communicator until all ranks are done.
  seconds connect{0.0};       ///< So much longer where its communicator has to be made.
  seconds abort{2.0};         ///< Who has not left a communicator by then is lost.
  seconds host{30.0};         ///< Who has not sent its input by then is lost.
  std::uint32_t attempts = 3; ///< At collectives; then the host merges.
};

/// What a reduction came to.
struct group_outcome {
  payload value;                        ///< Empty where no member is left.
  std::vector<member_id> contributors;  ///< Whose inputs are in the value, each once. In order.
  std::vector<member_id> lost;          ///< Whose inputs are not. Their devices must be fenced.
  bool on_host = false;                 ///< No collective made it.
  std::vector<failure> failures;        ///< Of the attempts that were given up.
  membership group;                     ///< For the next reduction,
  bool connected = false;               ///< and whether it still has its communicator.
};

/// State machine without I/O. Reports, losses and time go in, commands come out.
///
/// An attempt is a collective of all members in one epoch. It stands once every member has said that it is done; until
/// then, and until commit(), no input is touched. A failure, a loss or the deadline ends it: the members that leave
/// the communicator in time enter the next epoch and try again, with a new communicator. After the last attempt, or
/// with one member left, inputs come to the host. Every step has a deadline and loses members or attempts, so there is
/// an end.
///
/// A value with a lost member's input in it is never given out: the ledger frees that member's subtasks, and they
/// would count twice. So lost() voids a value that is not committed.
///
/// @par Threads  Single-threaded.
class group_reduction {
 public:
  /// @param number     Of the reduction; grows from one of the group to the next.
  /// @param group      At least one member. Its epoch is the last that was used; the id matters if `connected`.
  /// @param plan       Outlives the reduction.
  group_reduction(environment& world, const reduction_plan& plan, std::uint64_t number, membership group,
                  bool connected, const group_limits& limits = {});

  void receive(member_id from, group_report report);

  /// The failure detector's word, or the ledger's: what `who` has folded counts for nothing.
  void lost(member_id who, const failure& why);

  /// Deals with a deadline that has passed.
  void tick();
  /// When tick() is next needed.
  [[nodiscard]] std::optional<seconds> next_tick() const noexcept { return deadline_; }

  /// Commands since the last call, to be sent in order.
  [[nodiscard]] std::vector<std::pair<member_id, group_command>> take_commands()
  {
    return std::exchange(commands_, {});
  }

  /// Whether collectives were given up, and members' inputs come here.
  [[nodiscard]] bool on_host() const noexcept { return step_ == step::gathering; }
  [[nodiscard]] const std::vector<failure>& failures() const noexcept { return outcome_.failures; }
  /// The last that was entered.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return group_.epoch; }

  /// Set while there is a value that may be committed, or none to be had.
  [[nodiscard]] const group_outcome* decided() const noexcept { return step_ == step::decided ? &outcome_ : nullptr; }

  /// The contributors' subtasks are marked committed, in the same breath. Inputs are free now. @pre  decided()
  void commit();
  [[nodiscard]] bool committed() const noexcept { return step_ == step::committed; }
  /// @pre  committed()
  [[nodiscard]] group_outcome& outcome() noexcept { return outcome_; }

 private:
  enum class step { identifying, reducing, leaving, gathering, decided, committed };

  [[nodiscard]] group_stamp stamp() const noexcept { return {number_, group_.epoch}; }
  void send(member_id to, group_command::kind what);
  void start_attempt();
  void start_collective();
  void give_up(const failure& why);
  void leave_if_all_answered();
  void next_epoch();
  void start_host();
  void merge_if_all_sent();
  void decide(payload value, bool on_host);
  void drop(member_id who);
  void wait_until(seconds limit) { deadline_ = seconds{world_.now().count + limit.count}; }

  environment& world_;
  const reduction_plan& plan_;
  std::uint64_t number_;
  membership group_;
  bool connected_;
  group_limits limits_;

  step step_ = step::identifying;
  std::set<member_id> answered_;        // in this step
  std::map<member_id, payload> inputs_; // of the host path
  payload reduced_;
  std::uint32_t failures_ = 0;
  std::optional<seconds> deadline_;
  std::vector<std::pair<member_id, group_command>> commands_;
  group_outcome outcome_;
};

}  // namespace fastgpu::inline v0::detail

#include "nccl/group_reduction.hpp"

#include <string>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {
namespace {

failure late(const char* what)
{
  return {make_error_code(errc::device_failed), std::string{what} + ": past its deadline"};
}

}  // namespace

group_reduction::group_reduction(environment& world, const reduction_plan& plan, std::uint64_t number,
                                 membership group, bool connected, const group_limits& limits)
    : world_{world}, plan_{plan}, number_{number}, group_{std::move(group)}, connected_{connected}, limits_{limits}
{
  Expects(!group_.members.empty());
  if (!connected_) ++group_.epoch;
  start_attempt();
}

void group_reduction::send(member_id to, group_command::kind what)
{
  commands_.push_back({to, {what, stamp()}});
}

void group_reduction::start_attempt()
{
  answered_.clear();
  if (group_.members.size() <= 1 || failures_ >= limits_.attempts) {
    start_host();
  } else if (connected_) {
    start_collective();
  } else {
    step_ = step::identifying;
    wait_until(limits_.collective);
    send(group_.members.front(), group_command::kind::make_id);
  }
}

void group_reduction::start_collective()
{
  step_ = step::reducing;
  wait_until(seconds{limits_.collective.count + (connected_ ? 0 : limits_.connect.count)});
  for (const auto m : group_.members) {
    commands_.push_back({m, {group_command::kind::reduce, stamp(), group_, connected_}});
  }
}

/// The attempt is over: everyone has to leave it before there can be another.
void group_reduction::give_up(const failure& why)
{
  outcome_.failures.push_back(why);
  ++failures_;
  connected_ = false;
  answered_.clear();
  step_ = step::leaving;
  wait_until(limits_.abort);
  for (const auto m : group_.members) send(m, group_command::kind::abort);
  leave_if_all_answered();  // nobody may be left
}

void group_reduction::leave_if_all_answered()
{
  if (step_ == step::leaving && answered_.size() == group_.members.size()) next_epoch();
}

void group_reduction::next_epoch()
{
  ++group_.epoch;
  start_attempt();
}

void group_reduction::start_host()
{
  step_ = step::gathering;
  connected_ = false;
  inputs_.clear();
  wait_until(limits_.host);
  for (const auto m : group_.members) send(m, group_command::kind::send_input);
  merge_if_all_sent();
}

/// As far as members are still in: with none, there is no value.
void group_reduction::merge_if_all_sent()
{
  if (inputs_.size() != group_.members.size()) return;
  if (inputs_.empty()) return decide({}, true);
  std::vector<std::span<const std::byte>> inputs;
  for (const auto m : group_.members) inputs.emplace_back(inputs_.at(m));
  auto merged = merge_on_host(plan_, inputs);
  if (merged) return decide(std::move(merged).value(), true);
  // Nobody can tell whose input is bad, and nothing else is left to try.
  outcome_.failures.push_back(merged.error());
  while (!group_.members.empty()) drop(group_.members.front());
  inputs_.clear();
  decide({}, true);
}

void group_reduction::decide(payload value, bool on_host)
{
  step_ = step::decided;
  deadline_.reset();
  outcome_.value = std::move(value);
  outcome_.contributors = group_.members;
  outcome_.on_host = on_host;
}

void group_reduction::commit()
{
  Expects(step_ == step::decided);
  step_ = step::committed;
  outcome_.group = group_;
  outcome_.connected = connected_;
  inputs_.clear();
  for (const auto m : group_.members) send(m, group_command::kind::release);
}

/// Out of the group, for this reduction and later ones.
void group_reduction::drop(member_id who)
{
  send(who, group_command::kind::dismiss);  // in case it only was slow
  std::erase(group_.members, who);
  answered_.erase(who);
  inputs_.erase(who);
  outcome_.lost.push_back(who);
}

void group_reduction::receive(member_id from, group_report report)
{
  if (report.stamp != stamp() || !is_member(group_, from)) return;  // of an attempt that is over
  switch (report.what) {
    case group_report::kind::id:
      if (step_ != step::identifying || from != group_.members.front()) return;
      group_.id = report.id;
      start_collective();
      break;
    case group_report::kind::reduced:
      if (step_ != step::reducing || !answered_.insert(from).second) return;
      if (from == group_.members.front()) {
        if (plan_.how == reduction_plan::method::reduce && !plan_.fits(report.bytes.size())) {
          lost(from, {make_error_code(errc::device_failed), "a result of the wrong size"});
          return;
        }
        reduced_ = std::move(report.bytes);
      }
      if (answered_.size() == group_.members.size()) {
        connected_ = true;
        decide(std::move(reduced_), false);
      }
      break;
    case group_report::kind::failed:
      if (step_ == step::gathering) {  // it cannot even send
        lost(from, report.why);
      } else if (step_ == step::identifying || step_ == step::reducing) {
        if (report.for_good) failures_ = limits_.attempts;
        give_up(report.why);
      }
      break;
    case group_report::kind::aborted:
      if (step_ != step::leaving) return;
      answered_.insert(from);
      leave_if_all_answered();
      break;
    case group_report::kind::input:
      if (step_ != step::gathering) return;
      if (!plan_.fits(report.bytes.size())) {
        lost(from, {make_error_code(errc::device_failed), "an input of the wrong size"});
        return;
      }
      inputs_[from] = std::move(report.bytes);
      merge_if_all_sent();
      break;
  }
}

void group_reduction::lost(member_id who, const failure& why)
{
  if (step_ == step::committed || !is_member(group_, who)) return;
  const bool by_collective = step_ == step::identifying || step_ == step::reducing ||
                             (step_ == step::decided && !outcome_.on_host);
  drop(who);
  if (by_collective) {
    give_up(why);
    return;
  }
  outcome_.failures.push_back(why);
  if (step_ == step::leaving) {
    leave_if_all_answered();
  } else {
    merge_if_all_sent();  // anew, where a value was decided
  }
}

void group_reduction::tick()
{
  if (!deadline_ || world_.now().count < deadline_->count) return;
  switch (step_) {
    case step::identifying: give_up(late("a communicator's id")); break;
    case step::reducing: give_up(late("a collective")); break;
    case step::leaving:
    case step::gathering: {
      const bool leaving = step_ == step::leaving;
      auto silent = group_.members;
      std::erase_if(silent, [&](member_id m) { return leaving ? answered_.contains(m) : inputs_.contains(m); });
      outcome_.failures.push_back(late(leaving ? "members that should leave a communicator" : "members' inputs"));
      for (const auto m : silent) drop(m);
      if (leaving) {
        next_epoch();
      } else {
        merge_if_all_sent();
      }
      break;
    }
    case step::decided:
    case step::committed: break;
  }
}

}  // namespace fastgpu::inline v0::detail

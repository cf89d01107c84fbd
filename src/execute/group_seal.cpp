#include "execute/group_seal.hpp"

#include <algorithm>
#include <utility>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {
namespace {

member_id member_of(device_id device) { return {device.value}; }

}  // namespace

group_seal::group_seal(environment& clock, group_registry& groups, std::uint64_t number, const reduction_plan& plan,
                       seconds wait_most, const group_limits& limits)
    : clock_{clock},
      groups_{groups},
      number_{number},
      plan_{plan},
      wait_until_s_{clock.now().count + wait_most.count},
      limits_{limits}
{
}

void group_seal::arrive(arrival who)
{
  Expects(stage_ == stage::gathering);
  held_ += who.fold_set.count();
  const auto behind = std::find_if(arrivals_.begin(), arrivals_.end(),
                                   [&](const arrival& a) { return a.what.device.value > who.what.device.value; });
  arrivals_.insert(behind, std::move(who));  // in their order, so that the same ones are the same group
}

bool group_seal::waited_long() const { return clock_.now().count > wait_until_s_; }

void group_seal::start()
{
  Expects(stage_ == stage::gathering && arrivals_.size() >= 2);
  std::vector<member_id> members;
  for (const auto& a : arrivals_) members.push_back(member_of(a.what.device));
  auto [group, connected] = groups_.group_of(std::move(members));
  reduction_.emplace(clock_, plan_, number_, std::move(group), connected, limits_);
  stage_ = stage::reducing;
  post();
}

void group_seal::dissolve() noexcept
{
  if (over()) return;
  if (reduction_) {
    groups_.give_back_broken(reduction_->epoch(), reduction_->on_host());
  } else {
    groups_.give_back_unused();
  }
  mail_.clear();
  stage_ = stage::dissolved;
}

void group_seal::receive(device_id from, std::vector<group_report> reports)
{
  if (stage_ != stage::reducing) return;
  for (auto& report : reports) reduction_->receive(member_of(from), std::move(report));
  post();
}

void group_seal::tick()
{
  if (stage_ != stage::reducing) return;
  reduction_->tick();
  post();
}

void group_seal::post()
{
  for (auto& command : reduction_->take_commands()) mail_.push_back(std::move(command));
  if (!reduction_->on_host()) return;
  failures_ = reduction_->failures();
  dissolve();
}

std::vector<group_command> group_seal::take_commands(device_id to)
{
  std::vector<group_command> commands;
  std::erase_if(mail_, [&](auto& letter) {
    if (letter.first != member_of(to)) return false;
    commands.push_back(std::move(letter.second));
    return true;
  });
  return commands;
}

const group_outcome* group_seal::decided() const { return stage_ == stage::reducing ? reduction_->decided() : nullptr; }

std::vector<merged_seal> group_seal::seals() const
{
  std::vector<merged_seal> seals;
  for (const auto m : reduction_->decided()->contributors) {
    const auto at = std::find_if(arrivals_.begin(), arrivals_.end(),
                                 [&](const arrival& a) { return member_of(a.what.device) == m; });
    seals.push_back({at->what, &at->fold_set});
  }
  return seals;
}

void group_seal::commit()
{
  Expects(stage_ == stage::reducing);
  reduction_->commit();
  post();
  auto& outcome = reduction_->outcome();
  failures_ = outcome.failures;
  groups_.give_back(outcome.group, outcome.connected);
  stage_ = stage::committed;
}

void group_seal::lost(device_id who)
{
  if (stage_ != stage::reducing) return;
  reduction_->lost(member_of(who), {make_error_code(errc::device_lost), "its seal was refused"});
  post();
}

}  // namespace fastgpu::inline v0::detail

#include "simulation/checker.hpp"

#include <algorithm>
#include <string>

namespace simulation {
namespace {

constexpr std::uint32_t attempts_max = 3;  // of a subtask

std::string told(interval range) { return std::to_string(range.begin) + " to " + std::to_string(range.end); }

}  // namespace

checker::checker(world& where, const reference& values, std::uint32_t subtasks, std::uint32_t span,
                 std::size_t participants)
    : world_{where},
      values_{values},
      span_{span},
      participants_(participants),
      holder_(subtasks),
      counted_(subtasks),
      tries_(subtasks)
{
}

void checker::session_opened(std::uint32_t device, std::uint32_t session)
{
  participants_[device] = {{device, session, 0}, true, {}};
}

void checker::session_closed(std::uint32_t device)
{
  participants_[device].there = false;
  drop_grants(device);
}

void checker::job_opened(std::uint32_t device, std::uint32_t job)
{
  auto& p = participants_[device];
  p.there = true;
  p.now.job = job;
  p.seals.clear();
}

void checker::job_lost(std::uint32_t device, const std::vector<interval>& in_flight)
{
  for (const auto& range : in_flight) tried(device, range);
  session_closed(device);
}

/// In whole spans; what the participant does not have, or a backup has won, is not to blame.
void checker::tried(std::uint32_t device, interval part)
{
  const auto end = std::min<std::uint64_t>((part.end + span_ - 1) / span_ * span_, holder_.size());
  ++failed_attempts_;
  for (auto s = part.begin / span_ * span_; s < end; ++s) {
    if (holder_[s] != device + 1 || counted_[s]) continue;
    if (++tries_[s] > attempts_max) return world_.wrong("subtask " + std::to_string(s) + " is tried too often");
  }
}

std::uint32_t checker::tries(std::int64_t subtask) const
{
  return subtask < 0 || subtask >= std::int64_t(tries_.size()) ? 0 : tries_[static_cast<std::size_t>(subtask)];
}

void checker::drop_grants(std::uint32_t device) { std::replace(holder_.begin(), holder_.end(), device + 1, 0u); }

void checker::granted(std::uint32_t device, interval range)
{
  const auto size = static_cast<std::uint32_t>(holder_.size());
  if (range.empty() || range.end > size) return world_.wrong("a grant of nothing, or of what there is not");
  if (range.begin % span_ != 0 || (range.end % span_ != 0 && range.end != size)) {
    return world_.wrong("a grant splits a span: " + told(range));
  }
  for (auto s = range.begin; s < range.end; ++s) {
    if (holder_[s] != 0) return world_.wrong("subtask " + std::to_string(s) + " is granted to two");
    holder_[s] = device + 1;
  }
}

void checker::returned(std::uint32_t device, interval range)
{
  for (auto s = range.begin; s < std::min<std::size_t>(range.end, holder_.size()); ++s) {
    if (holder_[s] == device + 1) holder_[s] = 0;
  }
}

void checker::sealed(std::uint32_t device, std::uint64_t seal, const interval_set& fold_set)
{
  participants_[device].seals[seal] = fold_set;
}

void checker::acknowledged(std::uint32_t device, std::uint64_t seal)
{
  for (const auto& range : participants_[device].seals[seal].intervals()) {
    for (auto s = range.begin; s < range.end; ++s) {
      if (!counted_[s]) return world_.wrong("a partial is acknowledged that does not count yet");
    }
  }
  participants_[device].seals.erase(seal);
}

void checker::committed(const stamped_value& values, const interval_set& fold_set)
{
  if (over_) return world_.wrong("something counts after the end");
  const auto& p = participants_.at(values.from.device);
  if (!p.there || p.now != values.from) {
    return world_.wrong("a partial counts that comes from a dead session or under an old job number");
  }
  if (values.what != values_.of(fold_set)) return world_.wrong("a partial has not the values of its fold-set");
  for (const auto& range : fold_set.intervals()) {
    for (auto s = range.begin; s < range.end; ++s) {
      if (counted_[s]) return world_.wrong("subtask " + std::to_string(s) + " counts twice");
      counted_[s] = true;
    }
  }
  total_ += values.what;
}

void checker::look_at(const fastgpu::detail::coordinator& boss)
{
  const auto& book = boss.book();
  std::vector<int> times(holder_.size());
  const auto mark = [&](const interval_set& set) {
    for (const auto& range : set.intervals()) {
      for (auto s = range.begin; s < range.end; ++s) ++times[s];
    }
  };
  mark(book.free());
  mark(book.committed());
  for (std::uint32_t d = 0; d < participants_.size(); ++d) mark(book.assigned({d}));
  if (std::any_of(times.begin(), times.end(), [](int n) { return n != 1; })) {
    return world_.wrong("the ledger has a subtask in two places, or in none");
  }
  for (std::uint32_t s = 0; s < counted_.size(); ++s) {
    if (counted_[s] != book.committed().contains(interval{s, s + 1})) {
      return world_.wrong("the ledger and what counts differ at subtask " + std::to_string(s));
    }
  }
}

void checker::expect_complete()
{
  if (!std::all_of(counted_.begin(), counted_.end(), [](bool c) { return c; })) {
    return world_.wrong("the run is done without all of its subtasks");
  }
  if (total_ != values_.of_all()) world_.wrong("the value is wrong");
}

}  // namespace simulation

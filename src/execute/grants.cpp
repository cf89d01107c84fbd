#include "execute/grants.hpp"

#include <algorithm>
#include <string>

#include "detail/planted.hpp"

namespace fastgpu::inline v0::detail {

grants::grants(environment& world, ledger& book, std::size_t devices, std::uint32_t subtasks, std::uint32_t span,
               retry_limits limits)
    : world_{world},
      book_{book},
      span_{span},
      limits_{limits},
      budget_{static_cast<std::uint64_t>(limits.budget_share * subtasks) + limits.budget_extra},
      names_(devices),
      usable_(devices, true),
      tired_(devices, false),
      failures_(devices, 0)
{
}

void grants::add_device(const std::string& name)
{
  names_.push_back(name);
  usable_.push_back(true);
  tired_.push_back(false);
  failures_.push_back(0);
}

void grants::restore(device_id device)
{
  usable_.at(device.value) = true;
  tired_.at(device.value) = false;
}

bool grants::any_usable() const { return std::find(usable_.begin(), usable_.end(), true) != usable_.end(); }

std::vector<interval> grants::apart(interval part) const
{
  interval_set innocent{part};
  std::vector<interval> pieces;
  for (const auto& s : suspects_) {
    const interval both{std::max(s.part.begin, part.begin), std::min(s.part.end, part.end)};
    if (both.begin >= both.end) continue;
    innocent.erase(both);
    pieces.push_back(both);
  }
  pieces.insert(pieces.end(), innocent.intervals().begin(), innocent.intervals().end());
  return pieces;
}

std::vector<grant> grants::failed(device_id device, interval part, const failure& why, std::uint32_t in_a_row)
{
  std::vector<grant> given;
  book_.release(part, device);
  blame(device, part, why);
  if (in_a_row >= limits_.failures_in_a_row) {
    tired_.at(device.value) = true;  // the executor stops it and reports it lost
  }
  if (!run_failure_) give(part, device, true, given);
  return given;
}

std::vector<grant> grants::lost(device_id device, const interval_set& in_flight, const failure& why, bool hope)
{
  std::vector<grant> given;
  usable_.at(device.value) = false;
  auto freed = book_.lose(device);
  for (const auto& part : in_flight.intervals()) {
    blame(device, part, why);
    freed.erase(part);
  }
  if (!any_usable() && !hope) no_device_left(why);
  if (run_failure_ || !any_usable()) return given;
  for (const auto& part : in_flight.intervals()) give(part, device, true, given);
  for (const auto& s : suspects_) {  // those that it was still to run stay alone
    if (!freed.contains(s.part)) continue;
    freed.erase(s.part);
    give(s.part, device, true, given);
  }
  for (const auto& part : freed.intervals()) give(part, device, false, given);
  return given;
}

void grants::blame(device_id device, interval part, const failure& why)
{
  ++retries_;
  ++failures_.at(device.value);
  wasted_ += part.size();
  std::uint32_t most = 1;
  auto culprit = part;
  interval_set fresh{part};
  std::vector<suspect> rest;  // of suspects that are blamed in part only
  for (auto& s : suspects_) {
    const interval both{std::max(s.part.begin, part.begin), std::min(s.part.end, part.end)};
    if (both.empty()) continue;
    fresh.erase(both);
    for (const interval innocent : {interval{s.part.begin, both.begin}, interval{both.end, s.part.end}}) {
      if (!innocent.empty()) rest.push_back({innocent, s.attempts});
    }
    s = {both, s.attempts + 1};
    if (s.attempts > most) {
      most = s.attempts;
      culprit = both;
    }
  }
  suspects_.insert(suspects_.end(), rest.begin(), rest.end());
  for (const auto& f : fresh.intervals()) {
    const auto step = suspect_size(f);
    for (auto begin = f.begin; begin < f.end; begin += std::min(step, f.end - begin)) {
      suspects_.push_back({{begin, begin + std::min(step, f.end - begin)}, 1});
    }
  }
  if (run_failure_ || planted(bug::no_retry_cap)) return;
  // Whoever is suspected with others may be known by itself.
  const bool known = why.subtask >= culprit.begin && why.subtask < culprit.end;
  const auto named = known ? why.subtask : std::int64_t{culprit.begin};
  const auto& own_name = names_.at(device.value);
  const auto where = " failed on " + (own_name.empty() ? "device " + std::to_string(device.value) : own_name);
  const auto number = own_name.empty() ? std::int64_t{device.value} : std::int64_t{-1};
  if (most >= limits_.attempts) {
    const auto name = known || culprit.size() == 1 ? "subtask " + std::to_string(named)
                                          : "subtasks " + std::to_string(culprit.begin) + " to " +
                                                std::to_string(culprit.end - 1);
    run_failure_ = failure{make_error_code(errc::retries_exhausted),
                           name + where + ", attempt " + std::to_string(most) + " of " +
                               std::to_string(limits_.attempts) + ": " + why.detail,
                           named, number};
  } else if (retries_ > budget_) {
    run_failure_ = failure{make_error_code(errc::retries_exhausted),
                           "more than " + std::to_string(budget_) + " failed attempts in one run, the last: subtask " +
                               std::to_string(part.begin) + where + ": " + why.detail,
                           part.begin, number};
  }
}

/// Few enough pieces that a large batch's failure costs no more than a small one's, whole spans.
std::uint32_t grants::suspect_size(interval part) const
{
  constexpr std::uint32_t pieces_max = 64;
  const auto spans = (std::uint64_t{part.size()} + span_ - 1) / span_;
  return static_cast<std::uint32_t>((spans + pieces_max - 1) / pieces_max * span_);
}

std::optional<device_id> grants::next_device(std::optional<device_id> avoid)
{
  std::optional<device_id> best;
  for (std::size_t i = 0; i < usable_.size(); ++i) {
    turn_ = (turn_ + 1) % usable_.size();  // equals take turns
    const device_id candidate{static_cast<std::uint32_t>(turn_)};
    if (!usable_[turn_] || tired_[turn_] || candidate == avoid) continue;
    if (!best || failures_[turn_] < failures_[best->value]) best = candidate;
  }
  if (best) {
    turn_ = best->value;
    return best;
  }
  if (avoid && usable_[avoid->value]) return avoid;
  return std::nullopt;
}

void grants::give(interval part, std::optional<device_id> avoid, bool alone, std::vector<grant>& to)
{
  const auto step = alone ? suspect_size(part) : part.size();
  while (!part.empty()) {
    const interval piece{part.begin, part.begin + std::min(step, part.size())};
    const auto device = next_device(avoid);
    if (!device) return no_device_left({make_error_code(errc::no_usable_device), "all devices failed"});
    book_.assign(piece, *device);
    to.push_back({*device, piece});
    part.begin = piece.end;
  }
}

void grants::no_device_left(const failure& why)
{
  if (run_failure_) return;
  run_failure_ = failure{make_error_code(errc::no_usable_device), "no usable device is left; the last: " + why.detail};
}

}  // namespace fastgpu::inline v0::detail

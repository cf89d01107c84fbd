#include "execute/grants.hpp"

#include <algorithm>
#include <string>

namespace fastgpu::inline v0::detail {

grants::grants(environment& world, ledger& book, std::size_t devices, std::uint32_t subtasks, std::uint32_t span,
               retry_limits limits)
    : world_{world},
      book_{book},
      span_{span},
      limits_{limits},
      budget_{static_cast<std::uint64_t>(limits.budget_share * subtasks) + limits.budget_extra},
      usable_(devices, true),
      tired_(devices, false),
      failures_(devices, 0)
{
}

bool grants::any_usable() const { return std::find(usable_.begin(), usable_.end(), true) != usable_.end(); }

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

std::vector<grant> grants::lost(device_id device, const interval_set& in_flight, const failure& why)
{
  std::vector<grant> given;
  usable_.at(device.value) = false;
  auto freed = book_.lose(device);
  for (const auto& part : in_flight.intervals()) {
    blame(device, part, why);
    freed.erase(part);
  }
  if (!any_usable()) no_device_left(why);
  if (run_failure_) return given;
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
  for (auto& s : suspects_) {
    if (s.part.begin < part.end && part.begin < s.part.end) {
      fresh.erase(s.part);
      ++s.attempts;
      s.last = world_.now();
      if (s.attempts > most) {
        most = s.attempts;
        culprit = s.part;
      }
    }
  }
  for (const auto& f : fresh.intervals()) {
    for (auto begin = f.begin; begin < f.end; begin += std::min(span_, f.end - begin)) {
      suspects_.push_back({{begin, std::min(begin + span_, f.end)}, 1, world_.now()});
    }
  }
  if (run_failure_) return;
  const auto where = " failed on device " + std::to_string(device.value);
  if (most >= limits_.attempts) {
    const auto name = culprit.size() == 1 ? "subtask " + std::to_string(culprit.begin)
                                          : "subtasks " + std::to_string(culprit.begin) + " to " +
                                                std::to_string(culprit.end - 1);
    run_failure_ = failure{make_error_code(errc::retries_exhausted),
                           name + where + ", attempt " + std::to_string(most) + " of " +
                               std::to_string(limits_.attempts) + ": " + why.detail};
  } else if (retries_ > budget_) {
    run_failure_ = failure{make_error_code(errc::retries_exhausted),
                           "more than " + std::to_string(budget_) + " failed attempts in one run, the last: subtask " +
                               std::to_string(part.begin) + where + ": " + why.detail};
  }
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
  while (!part.empty()) {
    const auto piece = alone ? interval{part.begin, part.begin + std::min(span_, part.size())} : part;
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

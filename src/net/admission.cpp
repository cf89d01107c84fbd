#include "net/admission.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>

namespace fastgpu::inline v0::detail {

admission::decisions admission::arrived(ticket who, const std::string& address, seconds now)
{
  decisions what;
  entries_.emplace_hint(entries_.end(), who, entry{address, now, now});
  if (entries_.size() - placed_ > limits_.waiting) {
    // Who has said nothing goes first, and of several who came first.
    auto victim = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (at->second.at == stage::silent) {
        victim = at;
        break;
      }
      if (at->second.at == stage::waiting && victim == entries_.end()) victim = at;
    }
    what.drop.push_back({victim->first, cause::crowded});
    erase(victim);
  }
  settle(what, now);
  return what;
}

admission::decisions admission::spoke(ticket who, seconds now)
{
  decisions what;
  const auto at = entries_.find(who);
  if (at == entries_.end() || at->second.at != stage::silent) return what;
  at->second.at = stage::waiting;
  ++waiting_;
  settle(what, now);
  return what;
}

admission::decisions admission::proved(ticket who, seconds now)
{
  decisions what;
  const auto at = entries_.find(who);
  if (at != entries_.end()) at->second.since_progress = now;
  settle(what, now);
  return what;
}

admission::decisions admission::left(ticket who, seconds now)
{
  decisions what;
  const auto at = entries_.find(who);
  if (at == entries_.end()) return what;
  erase(at);
  settle(what, now);
  return what;
}

std::optional<seconds> admission::next(seconds now) const
{
  if (entries_.empty()) return std::nullopt;
  auto soonest = entries_.begin()->second.since_arrival.count + limits_.deadline.count;
  if (waiting_ > 0) {
    for (const auto& [who, one] : entries_) {
      const auto patient_until = one.since_progress.count + limits_.patience.count;
      // Who is past it and still there is of no use to those who wait: their addresses are full.
      if (one.at == stage::placed && patient_until > now.count) soonest = std::min(soonest, patient_until);
    }
  }
  return seconds{soonest};
}

admission::decisions admission::tick(seconds now)
{
  decisions what;
  while (!entries_.empty() && entries_.begin()->second.since_arrival.count + limits_.deadline.count <= now.count) {
    what.drop.push_back({entries_.begin()->first, cause::deadline});
    erase(entries_.begin());
  }
  settle(what, now);
  return what;
}

/// Gives places to those who wait, the latest first.
void admission::settle(decisions& what, seconds now)
{
  if (waiting_ == 0) return;
  std::unordered_set<std::string> full;  // addresses
  for (auto at = entries_.end(); at != entries_.begin();) {
    --at;
    auto& one = at->second;
    if (one.at != stage::waiting || full.contains(one.address)) continue;
    const auto of_address = placed_of_.find(one.address);
    const bool address_full = of_address != placed_of_.end() && of_address->second >= limits_.per_address;
    if (address_full || placed_ >= limits_.unauthenticated) {
      const auto victim = slowest(address_full ? &one.address : nullptr, now);
      if (victim == entries_.end()) {
        if (!address_full) return;
        full.insert(one.address);
        continue;
      }
      what.drop.push_back({victim->first, cause::crowded});
      erase(victim);  // never `at` itself, which has no place
    }
    one.at = stage::placed;
    one.since_progress = now;
    --waiting_;
    ++placed_;
    ++placed_of_[one.address];
    what.begin.push_back(at->first);
    if (waiting_ == 0) return;
  }
}

/// Who holds a place and has not got on for longest, and at least for as long as there is patience for.
admission::entries::iterator admission::slowest(const std::string* address, seconds now)
{
  auto found = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    const auto& one = at->second;
    if (one.at != stage::placed || (address != nullptr && one.address != *address)) continue;
    if (one.since_progress.count + limits_.patience.count > now.count) continue;
    if (found == entries_.end() || one.since_progress.count < found->second.since_progress.count) found = at;
  }
  return found;
}

void admission::erase(entries::iterator who)
{
  const auto& one = who->second;
  if (one.at == stage::waiting) --waiting_;
  if (one.at == stage::placed) {
    --placed_;
    const auto of_address = placed_of_.find(one.address);
    if (--of_address->second == 0) placed_of_.erase(of_address);
  }
  entries_.erase(who);
}

}  // namespace fastgpu::inline v0::detail

#include "simulation/world.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <utility>

namespace simulation {

double dice::magnitude(double least, double most) { return least * std::pow(most / least, share()); }

process world::new_process()
{
  processes_.emplace_back();
  return static_cast<process>(processes_.size() - 1);
}

owner_id world::own(process whose)
{
  owners_.push_back({whose, true});
  return static_cast<owner_id>(owners_.size() - 1);
}

void world::thaw(process which)
{
  processes_[which].frozen = false;
  auto deferred = std::exchange(processes_[which].deferred, {});
  for (auto& p : deferred) at(now_, p.owner, std::move(p.what));
}

void world::at(double when, owner_id owner, action what)
{
  std::uint32_t slot = 0;
  if (unused_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = unused_.back();
    unused_.pop_back();
  }
  slots_[slot] = {owner, std::move(what)};
  heap_.push_back({std::max(when, now_), numbers_++, slot});
  std::push_heap(heap_.begin(), heap_.end(), later{});
}

bool world::step()
{
  while (!heap_.empty() && !wrong_) {
    std::pop_heap(heap_.begin(), heap_.end(), later{});
    const auto next = heap_.back();
    heap_.pop_back();
    auto p = std::exchange(slots_[next.slot], {});
    unused_.push_back(next.slot);
    now_ = next.when;
    const auto& owner = owners_[p.owner];
    if (!owner.alive) continue;
    if (processes_[owner.whose].frozen) {
      processes_[owner.whose].deferred.push_back(std::move(p));
      continue;
    }
    ++events_;
    p.what();
    return !wrong_;
  }
  return false;
}

void world::note(std::string_view what, std::uint64_t a, std::uint64_t b, std::uint64_t c)
{
  for (const auto letter : what) hash_ = (hash_ ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  for (const auto number : {std::bit_cast<std::uint64_t>(now_), a, b, c}) hash_ = support::splitmix64(hash_ ^ number);
  if (trace_) {
    std::printf("%12.6f  %-24.*s %llu %llu %llu\n", now_, static_cast<int>(what.size()), what.data(),
                static_cast<unsigned long long>(a), static_cast<unsigned long long>(b),
                static_cast<unsigned long long>(c));
  }
}

void world::wrong(std::string what)
{
  if (trace_) std::printf("%12.6f  WRONG: %s\n", now_, what.c_str());
  if (!wrong_) wrong_ = std::move(what);
}

void alarm_clock::set(std::optional<seconds> next, const std::function<void()>& ring)
{
  wanted_ = next ? std::optional{std::max(next->count, world_.time())} : std::nullopt;
  if (!wanted_ || (ringing_ && *ringing_ <= *wanted_)) return;  // an earlier one will look again
  ringing_ = wanted_;
  const auto when = *wanted_;
  world_.at(when, owned_.id(), [this, when, ring] {
    if (ringing_ != when) return;  // an earlier one was set since
    ringing_.reset();
    if (!wanted_) return;
    if (*wanted_ > world_.time()) return set(seconds{*wanted_}, ring);
    wanted_.reset();
    ring();
  });
}

}  // namespace simulation

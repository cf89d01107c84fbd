#include "simulation/session.hpp"

#include <algorithm>
#include <utility>

namespace simulation {
namespace {

constexpr double dead_after_s = 5;
constexpr double suspect_after_s = 2;
constexpr double heartbeat_s = 0.5;  // so exactly is the last sign of life known

}  // namespace

session::session(world& where, wire& over, std::uint32_t number, process node_process)
    : world_{where},
      wire_{over},
      number_{number},
      node_process_{node_process},
      to_coordinator_{where, always},
      to_node_{where, node_process}
{
}

void session::send(end from, message what, std::shared_ptr<const payload> bytes)
{
  const auto to = other(from);
  if (!at(from).open) return;
  ++wire_.letters;
  auto& s = at(to);
  const auto now = world_.time();
  const auto latency = (wire_.plan.latency + wire_.extra_latency) * world_.chance().between(1, 1.5);
  letter l{std::move(what), std::move(bytes), 0, s.small_sent};
  if (l.bytes == nullptr) {
    l.arrives = s.small_last = std::max(s.small_last, now + latency);
    ++s.small_sent;
    s.small.push_back(std::move(l));
  } else {
    s.wire_free = std::max(s.wire_free, now) + static_cast<double>(l.bytes->size()) / wire_.plan.bytes_per_second;
    l.arrives = s.bulk_last = std::max({s.bulk_last, s.small_last, s.wire_free + latency});
    s.bulk.push_back(std::move(l));
  }
  schedule(to);
}

std::uint64_t session::queued_bytes(end to) const
{
  const auto left = sides_[index(to)].wire_free - world_.time();
  return left <= 0 ? 0 : static_cast<std::uint64_t>(left * wire_.plan.bytes_per_second);
}

// Delivery --------------------------------------------------------------------------------------------------------

void session::schedule(end to)
{
  auto& s = at(to);
  double next = -1;
  if (!s.small.empty()) next = s.small.front().arrives;
  if (!s.bulk.empty() && s.bulk.front().after <= s.small_heard && (next < 0 || s.bulk.front().arrives < next)) {
    next = s.bulk.front().arrives;
  }
  if (next < 0) return;
  next = std::max(next, world_.time());
  if (s.pumped_at >= world_.time() && s.pumped_at <= next) return;  // sooner or at the same time
  s.pumped_at = next;
  world_.at(next, (to == end::node ? to_node_ : to_coordinator_).id(), [this, to] { pump(to); });
}

void session::pump(end to)
{
  auto& s = at(to);
  s.pumped_at = -1;
  if (wire_.cuts[index(to)] > 0) return;  // path_changed() begins again
  deliver_one(to);
  schedule(to);
}

/// What arrives is heard one by one: others may happen in between.
void session::deliver_one(end to)
{
  auto& s = at(to);
  const auto now = world_.time();
  letter l;
  if (!s.small.empty() && s.small.front().arrives <= now) {
    l = std::move(s.small.front());
    s.small.pop_front();
    ++s.small_heard;
  } else if (!s.bulk.empty() && s.bulk.front().arrives <= now && s.bulk.front().after <= s.small_heard) {
    l = std::move(s.bulk.front());
    s.bulk.pop_front();
  } else {
    return;
  }
  if (s.listener == nullptr) return;
  hear_life(to);
  auto bytes = l.bytes != nullptr ? payload{*l.bytes} : payload{};
  world_.note(s.open ? "heard" : "late", number_, l.what.index(), bytes.size() + index(to));
  if (s.open) {
    s.listener->heard(std::move(l.what), std::move(bytes));
  } else {
    s.listener->heard_late(std::move(l.what), std::move(bytes));
  }
}

// The end ---------------------------------------------------------------------------------------------------------

void session::end_side(end which)
{
  auto& s = at(which);
  if (!std::exchange(s.open, false)) return;
  world_.note("closed", number_, index(which));
  if (s.listener != nullptr) s.listener->closed();
}

void session::close(end by)
{
  if (!at(by).open) return;
  end_side(by);
  const auto to = other(by);
  at(to).end_comes = true;
  hear_closing(to);
}

void session::hear_closing(end which)
{
  world_.after(wire_.plan.latency, (which == end::node ? to_node_ : to_coordinator_).id(), [this, which] {
    if (wire_.cuts[index(which)] == 0) end_side(which);
  });
}

void session::reset()
{
  at(end::node).end_comes = at(end::coordinator).end_comes = true;
  hear_closing(end::node);
  hear_closing(end::coordinator);
}

void session::died(end which)
{
  at(which).open = false;
  at(which).listener = nullptr;
  at(other(which)).end_comes = true;
  hear_closing(other(which));
}

void session::path_changed(end towards)
{
  if (wire_.cuts[index(towards)] > 0) return watch_silence(towards);
  if (at(towards).end_comes) hear_closing(towards);
  pump(towards);
}

void session::watch_silence(end deaf)
{
  const auto cut = wire_.cut_number[index(deaf)];
  const auto by = (deaf == end::node ? to_node_ : to_coordinator_).id();
  const auto last_sign_s = world_.chance().between(-heartbeat_s, 0);
  world_.after(suspect_after_s + last_sign_s, by, [this, deaf, cut] { suspect(deaf, cut); });
  world_.after(dead_after_s + last_sign_s, by, [this, deaf, cut] {
    if (at(deaf).open && silent(deaf, cut)) close(deaf);
  });
}

/// Since cut number `cut` nothing has come through to `deaf`.
bool session::silent(end deaf, std::uint64_t cut) const
{
  const bool cut_still = wire_.cuts[index(deaf)] > 0 && wire_.cut_number[index(deaf)] == cut;
  return cut_still || (deaf == end::coordinator && world_.frozen(node_process_));
}

void session::suspect(end deaf, std::uint64_t cut)
{
  auto& s = at(deaf);
  if (!s.open) return;
  if (!silent(deaf, cut)) return hear_life(deaf);
  if (!std::exchange(s.suspect, true) && s.listener != nullptr) s.listener->suspected(true);
  world_.after(heartbeat_s, (deaf == end::node ? to_node_ : to_coordinator_).id(),
               [this, deaf, cut] { suspect(deaf, cut); });
}

void session::hear_life(end deaf)
{
  auto& s = at(deaf);
  if (std::exchange(s.suspect, false) && s.open && s.listener != nullptr) s.listener->suspected(false);
}

}  // namespace simulation

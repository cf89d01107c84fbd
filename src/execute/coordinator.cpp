#include "execute/coordinator.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <gsl/assert>

#include "detail/planted.hpp"

/// @file
/// What counts: who is there, what they hold, and what of it is committed. Who gets what is in steering.cpp.

namespace fastgpu::inline v0::detail {
namespace {

constexpr double there_for_a_while_s = 60;  // a loss after so long is none of a row

}  // namespace

coordinator::coordinator(environment& world, coordinator_owner& owner, std::uint32_t subtasks,
                         coordinator_options options)
    : world_{world},
      owner_{owner},
      options_{options},
      subtasks_{subtasks},
      ledger_{subtasks, 0},
      grants_{world, ledger_, 0, subtasks, options.span, options.retries},
      moved_(std::max(options.moves_max, 1u))
{
}

device_id coordinator::add(const std::string& name)
{
  const device_id device{static_cast<std::uint32_t>(members_.size())};
  members_.emplace_back();
  ledger_.add_device();
  grants_.add_device(name);
  grants_.exclude(device);  // until it joins
  return device;
}

void coordinator::reserve(device_id device, interval range) { reserved_.emplace_back(device, range); }

void coordinator::start()
{
  started_ = true;
  std::vector<std::vector<interval>> first(members_.size());
  for (const auto& [device, range] : reserved_) {
    if (range.empty() || !takes_work(at(device))) continue;
    interval_set left{range};
    left.erase(ledger_.committed());
    for (const auto& part : left.intervals()) {
      grants_.start({device, part});
      first[device.value].push_back(part);
    }
  }
  reserved_.clear();
  for (std::uint32_t d = 0; d < first.size(); ++d) give({d}, first[d]);
  find_work();
  check_end();
}

// Who is there ----------------------------------------------------------------------------------------------------

bool coordinator::joined(device_id device, participant& link, const participant_info& info)
{
  auto& m = at(device);
  Expects(m.link == nullptr);
  if (m.barred) return false;
  const auto committed = m.committed;
  const auto losses = m.losses;
  learn_speed(m, 0);  // what it was is no news
  m = {};
  m.losses = losses;
  m.joined_at = world_.now();
  m.link = &link;
  m.info = info;
  m.info.subtasks_per_second = 0;
  learn_speed(m, info.subtasks_per_second);
  m.committed = committed;
  m.told = m.hungry_since = m.next_try = world_.now();
  grants_.restore(device);
  find_work();
  return true;
}

void coordinator::left(device_id device, const interval_set& in_flight, const failure& why, bool returns)
{
  auto& m = at(device);
  if (m.link == nullptr) {
    m.returns = m.returns && returns;
    return;
  }
  m.link = nullptr;
  m.fenced = false;
  if (world_.now().count - m.joined_at.count > there_for_a_while_s) m.losses = 0;
  // A subtask that takes whole nodes with it must not go round for ever, nor one such node spoil a run of others.
  m.barred = ++m.losses >= options_.losses_max && !planted(bug::no_retry_cap);
  m.returns = returns && !m.barred;
  if (m.thief) stop_robbing(*m.thief);
  m.thief.reset();

  // A backup may be what it died of. One is enough.
  for (const auto& range : m.staging.intervals()) {
    if (in_flight.intersects(range)) spoiled_.insert(range);
  }
  // Backups of what it had count from now on; those that it ran do not.
  std::vector<backup> done;
  std::erase_if(backups_, [&](backup& b) {
    if (b.primary == device && b.values != nullptr) done.push_back(std::move(b));
    return b.primary == device || b.by == device;
  });
  for (auto& b : done) commit_backup(std::move(b));

  const auto held = ledger_.assigned(device).count();
  counters_.wasted += std::min<std::uint64_t>(held, m.granted - std::min(m.unstarted, m.granted));
  if (m.barred && !some_may_come()) {
    return decide(failure{make_error_code(errc::retries_exhausted),
                          "the nodes, or their workers, were lost again and again, and nothing of them was committed in "
                          "between; the last: " + why.detail});
  }
  const auto given = grants_.lost(device, suspects_among(device, in_flight), why, some_may_come());
  if (grants_.run_failure()) return decide(grants_.run_failure());
  give_all(given);
  check_end();
  find_work();
}

bool coordinator::some_may_come() const
{
  return std::any_of(members_.begin(), members_.end(),
                     [](const member& m) { return m.returns || m.link != nullptr; });
}

/// Whole spans, which no grant splits; and only of what is its own: a backup may have won the rest, or it was one.
interval_set coordinator::suspects_among(device_id device, const interval_set& in_flight) const
{
  const auto& assigned = ledger_.assigned(device);
  interval_set suspects;
  for (const auto& range : in_flight.intervals()) {
    const std::uint64_t span = options_.span;
    const auto end = std::min((std::min(range.end, subtasks_) + span - 1) / span * span, std::uint64_t{subtasks_});
    for (auto at = range.begin / span * span; at < end; at += span) {
      const interval whole{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(std::min(at + span, end))};
      if (!assigned.contains(whole)) continue;
      suspects.insert(planted(bug::split_suspects) ? interval{range.begin, range.begin + 1} : whole);
    }
  }
  return suspects;
}

/// It has nothing left to start.
void coordinator::note_hunger(member& m)
{
  if (std::exchange(m.hungry, true)) return;
  m.hungry_since = m.next_try = world_.now();
  m.back_off_s = 0;
}

void coordinator::gave_up(device_id device, const failure& why)
{
  at(device).returns = false;
  if (!some_may_come()) decide(failure{make_error_code(errc::no_usable_device), "no usable device is left; the last: " + why.detail});
}

void coordinator::drains(device_id device)
{
  auto& m = at(device);
  if (m.link == nullptr || m.draining) return;
  m.draining = true;
  m.returns = false;
}

void coordinator::suspected(device_id device, bool now)
{
  auto& m = at(device);
  if (m.link == nullptr || std::exchange(m.suspect, now) == now) return;
  find_work();
}

void coordinator::progress(device_id device, std::uint64_t granted, std::uint64_t done, std::uint64_t unstarted)
{
  auto& m = at(device);
  if (m.link == nullptr || m.fenced) return;
  if (granted > m.granted || done > granted || unstarted > granted) return distrust(device, "its progress is none");
  const auto now = world_.now();
  const auto dt = now.count - m.told.count;
  if (!m.hungry && dt > 0) measure(m, done - std::min(done, m.done), dt);
  m.done = done;
  m.told = now;
  m.unstarted = unstarted + (m.granted - granted);
  if (m.unstarted == 0) note_hunger(m);
  find_work();
}

// What counts -----------------------------------------------------------------------------------------------------

void coordinator::sealed(device_id device, const seal_report& report, std::unique_ptr<arrived_values> values)
{
  auto& m = at(device);
  if (!is_heard(m)) return;
  if (report.seal != m.seals + 1) return distrust(device, "a seal is missing or came twice");
  auto dropped = report.dropped;
  if (!planted(bug::overtaken_held)) dropped.erase(m.overtaken);
  if (!ledger_.assigned(device).contains(dropped) || dropped.intersects(report.fold_set) ||
      !in_whole_spans(report.dropped)) {
    return distrust(device, "it gives up what it does not have");
  }
  if (ledger_.accept({device, ledger_.incarnation(device), report.counter}, report.fold_set) != verdict::committed) {
    return distrust(device, "the ledger refused its partial");
  }
  ++m.seals;
  m.failures_in_a_row = 0;
  if (planted(bug::early_acknowledgement)) m.link->acknowledge(report.seal);
  if (!report.fold_set.empty()) {
    Expects(values != nullptr);
    ++counters_.seals;
    m.losses = 0;
    m.committed += report.fold_set.count();
    owner_.commit(*values, report.fold_set);
    if (decided_) return;  // it could not
  }
  if (!planted(bug::no_acknowledgement) && !planted(bug::early_acknowledgement)) m.link->acknowledge(report.seal);
  settle_backups(device, report.answers, report.fold_set);
  dropped.erase(m.overtaken);  // by now
  m.overtaken.erase(report.dropped);
  if (planted(bug::dropped_ignored)) dropped.clear();
  for (const auto& range : dropped.intervals()) ledger_.release(range, device);
  counters_.wasted += report.dropped.count();
  if (ledger_.assigned(device).empty()) {
    m.unstarted = 0;
    note_hunger(m);
  }
  check_end();
  find_work();
}

void coordinator::failed(device_id device, interval range, bool staged, const failure& why)
{
  auto& m = at(device);
  if (!is_heard(m)) return;
  if (staged) {
    m.staging.erase(range);
    spoiled_.insert(range);
    std::erase_if(backups_, [&](const backup& b) { return b.by == device && b.range == range; });
    counters_.wasted += range.size();
    return try_later(m);
  }
  if (range.empty() || !ledger_.assigned(device).contains(range)) return distrust(device, "it failed at what it does not have");
  ++m.failures_in_a_row;
  const auto given = grants_.failed(device, range, why, m.failures_in_a_row);
  if (grants_.run_failure()) return decide(grants_.run_failure());
  give_all(given);
  if (grants_.tired(device)) owner_.distrust(device, why);
  find_work();
}

bool coordinator::in_whole_spans(const interval_set& ranges) const
{
  return std::all_of(ranges.intervals().begin(), ranges.intervals().end(), [&](const interval& range) {
    return range.begin % options_.span == 0 && (range.end % options_.span == 0 || range.end == subtasks_);
  });
}

bool coordinator::is_heard(const member& m)
{
  if (m.link != nullptr && !m.fenced && !decided_) return true;
  note_fenced();
  return false;
}

void coordinator::kernel_failed(const failure& why) { decide(why); }

void coordinator::distrust(device_id device, const char* what)
{
  note_fenced();
  at(device).fenced = true;
  owner_.distrust(device, {make_error_code(errc::protocol_error), std::string{what}});
}

void coordinator::check_end()
{
  if (started_ && ledger_.complete()) decide(std::nullopt);
}

void coordinator::decide(const std::optional<failure>& why)
{
  if (std::exchange(decided_, true)) return;
  owner_.decided(why);
}

std::uint64_t coordinator::done() const
{
  auto all = ledger_.committed().count();
  for (std::uint32_t d = 0; d < members_.size(); ++d) {
    const auto& m = members_[d];
    if (m.link == nullptr) continue;
    const auto held = ledger_.assigned({d}).count();
    all += held - std::min(held, m.unstarted);
  }
  return std::min<std::uint64_t>(all, subtasks_);
}

coordinator_counters coordinator::count() const
{
  auto c = counters_;
  c.fenced += ledger_.fenced();
  return c;
}

}  // namespace fastgpu::inline v0::detail

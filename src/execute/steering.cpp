#include <algorithm>
#include <cmath>
#include <utility>

#include <gsl/assert>

#include "detail/planted.hpp"
#include "execute/coordinator.hpp"

/// @file
/// Who gets what: shares by speed, steals for a gain, and backups at the end.

namespace fastgpu::inline v0::detail {
namespace {

constexpr double back_off_first_s = 1e-3;  // until an idle one looks again,
constexpr double back_off_most_s = 0.1;    // doubled each time up to here,
constexpr double looks_most_per_s = 1000;  // or later where so many look: each look goes over all members
constexpr double fades_s = 2.0;            // a speed is that of the last seconds
constexpr double known_before_s = 0.05;    // what is known from earlier runs is worth so much of a measurement,
constexpr double known_subtasks = 4;       // or so many subtasks of each worker, if these take longer
constexpr std::size_t woken_most = 8;      // idle ones that look again at once where somebody has got something
constexpr double unanswered_s = 1.0;       // a participant that does not give back for so long may be frozen

}  // namespace

void coordinator::learn_speed(member& m, double subtasks_per_second)
{
  auto& known = m.info.subtasks_per_second;
  if (known > 0) {
    known_speed_ -= known;
    known_workers_ -= m.info.workers;
  }
  known = subtasks_per_second;
  if (known > 0) {
    known_speed_ += known;
    known_workers_ += m.info.workers;
  }
}

/// @param time_s  In which it had work.
void coordinator::measure(member& m, std::uint64_t done, double time_s)
{
  if (m.lately_s == 0 && m.info.subtasks_per_second > 0) {  // measured before: worth a moment
    m.lately_s = std::max(known_before_s, known_subtasks * m.info.workers / m.info.subtasks_per_second);
    m.lately_done = m.info.subtasks_per_second * m.lately_s;
  }
  const auto left = std::exp(-time_s / fades_s);
  m.lately_s = m.lately_s * left + time_s;
  m.lately_done = m.lately_done * left + static_cast<double>(done);
  if (m.lately_done > 0) learn_speed(m, m.lately_done / m.lately_s);
}

/// (Sums of differences: what is left of them may be tiny, and must not be negative.)
double coordinator::usual_worker_speed() const
{
  return known_workers_ > 0.5 && known_speed_ > 0 ? known_speed_ / known_workers_ : 1.0;
}

double coordinator::speed_of(const member& m) const
{
  if (m.info.subtasks_per_second > 0) return m.info.subtasks_per_second;
  return usual_worker_speed() * std::max(m.info.workers, 1u);  // as the others
}

double coordinator::unstarted_of(const member& m) const
{
  const auto since = std::max(0.0, world_.now().count - m.told.count);
  const auto speed = m.info.subtasks_per_second;  // where it is not known, nothing is supposed
  return std::max(0.0, static_cast<double>(m.unstarted) - speed * since);
}

void coordinator::give(device_id device, std::span<const interval> ranges)
{
  if (ranges.empty()) return;
  auto& m = at(device);
  Expects(m.link != nullptr);
  if (m.hungry) {  // its speed is measured from here
    m.told = world_.now();
    m.done = m.granted;
  }
  m.hungry = false;
  m.immovable = false;
  m.back_off_s = 0;
  for (const auto& range : ranges) {
    m.granted += range.size();
    m.unstarted += range.size();
  }
  ++counters_.grants;
  m.link->grant(ranges);
}

void coordinator::give_all(const std::vector<grant>& given)
{
  for (std::uint32_t d = 0; d < members_.size(); ++d) {
    std::vector<interval> ranges;
    for (const auto& g : given) {
      if (g.device.value == d) ranges.push_back(g.part);
    }
    give({d}, ranges);
  }
}

/// Gives what nobody has to whoever is idle, else to all, in proportion to their speeds.
void coordinator::share_out()
{
  const auto free = ledger_.free();
  if (free.empty()) return;
  std::vector<std::uint32_t> takers;
  for (const bool hungry_only : {true, false}) {
    for (std::uint32_t d = 0; d < members_.size(); ++d) {
      const auto& m = members_[d];
      if (takes_work(m) && (m.hungry || !hungry_only) && !grants_.tired({d})) takers.push_back(d);
    }
    if (!takers.empty()) break;
  }
  if (takers.empty()) return;

  double total = 0;
  for (const auto d : takers) total += speed_of(members_[d]);
  std::vector<std::vector<interval>> shares(takers.size());
  const auto all = static_cast<double>(free.count());
  std::size_t taker = 0;
  double before = 0;                                        // subtasks given out
  double until = all * speed_of(members_[takers[0]]) / total;  // of the shares up to this taker's
  for (auto range : free.intervals()) {
    while (!range.empty()) {
      const bool last = taker + 1 == takers.size();
      const auto wanted = std::max(0.0, until - before);
      auto n = last ? range.size() : static_cast<std::uint32_t>(std::min<double>(std::ceil(wanted), range.size()));
      if (n < range.size()) {  // cut where spans end
        const auto cut = (std::uint64_t{range.begin} + n + options_.span - 1) / options_.span * options_.span;
        n = static_cast<std::uint32_t>(std::min<std::uint64_t>(cut, range.end) - range.begin);
      }
      if (n > 0) {
        const interval part{range.begin, range.begin + n};
        grants_.start({{takers[taker]}, part});
        const auto pieces = grants_.apart(part);
        shares[taker].insert(shares[taker].end(), pieces.begin(), pieces.end());
        range.begin += n;
        before += n;
      }
      while (taker + 1 < takers.size() && before >= until) {
        ++taker;
        until += all * speed_of(members_[takers[taker]]) / total;
      }
    }
  }
  for (std::size_t t = 0; t < takers.size(); ++t) give({takers[t]}, shares[t]);
}

void coordinator::find_work()
{
  if (!started_ || decided_) return;
  share_out();
  const auto now = world_.now();
  idle_ = static_cast<std::size_t>(
      std::count_if(members_.begin(), members_.end(), [&](const member& m) { return takes_work(m) && m.hungry; }));
  for (std::uint32_t d = 0; d < members_.size(); ++d) {
    auto& m = members_[d];
    if (decided_) return;
    if (m.draining && m.link != nullptr && m.unstarted > 0 && m.take_request == 0) {  // gives all of it back
      m.take_request = ++m.take_requests;
      m.asked = now;
      m.thief.reset();
      m.link->take_back(m.take_request, m.unstarted);
    }
    if (!takes_work(m) || !m.hungry || now.count < m.next_try.count || grants_.tired({d})) continue;
    if ((m.robs || !steal_for({d})) && !back_up_for({d})) try_later(m);
  }
}

void coordinator::stop_robbing(device_id thief)
{
  at(thief).robs = false;
  at(thief).next_try = world_.now();
}

/// There may be something to be had: those who back off need not wait for it.
void coordinator::wake_some()
{
  std::size_t woken = 0;
  for (auto& m : members_) {
    if (woken == woken_most) return;
    if (!takes_work(m) || !m.hungry || m.robs) continue;
    m.next_try = world_.now();
    ++woken;
  }
}

void coordinator::try_later(member& idle)
{
  const auto most = std::max(back_off_most_s, static_cast<double>(idle_) / looks_most_per_s);
  idle.back_off_s = std::clamp(2 * idle.back_off_s, back_off_first_s, most);
  idle.next_try = seconds{world_.now().count + idle.back_off_s};
}

/// Who would need longest for what it has not started, but for the thief.
const coordinator::member* coordinator::longest(device_id thief, device_id& victim) const
{
  const member* best = nullptr;
  double most = 0;
  for (std::uint32_t d = 0; d < members_.size(); ++d) {
    const auto& m = members_[d];
    if (d == thief.value || m.link == nullptr || m.suspect || m.take_request != 0 || m.immovable) continue;
    const auto time = unstarted_of(m) / speed_of(m);
    if (time > most) {
      most = time;
      best = &m;
      victim = {d};
    }
  }
  return best;
}

/// Asks the one that would need longest for as much as lets both end together, if that is worth the way.
bool coordinator::steal_for(device_id number)
{
  auto& thief = at(number);
  device_id from;
  const auto* rich = longest(number, from);
  if (rich == nullptr) return false;
  auto& victim = at(from);
  const auto theirs = speed_of(victim);
  auto mine = speed_of(thief);
  if (thief.info.bytes_per_second > 0) {
    mine = 1 / (1 / mine + options_.bytes_per_subtask / thief.info.bytes_per_second);
  }
  const auto way_s = thief.info.latency_s + victim.info.latency_s;
  const auto gain = (unstarted_of(victim) / theirs - way_s) * theirs * mine / (theirs + mine);
  if (gain < options_.span) return false;
  const auto wanted = static_cast<std::uint64_t>(gain) / options_.span * options_.span;
  victim.take_request = ++victim.take_requests;
  victim.asked = world_.now();
  victim.thief = number;
  thief.robs = true;
  thief.next_try = seconds{victim.asked.count + unanswered_s};
  victim.link->take_back(victim.take_request, wanted);
  return true;
}

void coordinator::taken_back(device_id device, std::uint32_t request, const interval_set& ranges)
{
  auto& m = at(device);
  if (!is_heard(m)) return;
  auto own = ranges;
  own.erase(m.overtaken);
  if (!ledger_.assigned(device).contains(own) || !in_whole_spans(ranges) ||
      (request != m.take_request && !ranges.empty() && request != 0)) {
    return distrust(device, "it gives back what it does not have");
  }
  m.unstarted -= std::min(m.unstarted, ranges.count());
  m.granted -= std::min(m.granted, ranges.count());
  m.overtaken.erase(ranges);
  std::optional<device_id> thief;
  if (request == m.take_request) {
    m.take_request = 0;
    thief = std::exchange(m.thief, std::nullopt);
    if (thief) stop_robbing(*thief);
  }
  if (request != 0 && ranges.empty()) m.unstarted = 0;  // it has nothing that could be had
  if (thief && takes_work(at(*thief)) && !own.empty()) {
    hand_stolen(device, *thief, own);
  } else {
    for (const auto& range : own.intervals()) ledger_.release(range, device);
    if (thief && own.empty()) {
      ++counters_.steals_in_vain;
      try_later(at(*thief));
    }
  }
  if (ledger_.assigned(device).empty()) note_hunger(m);
  find_work();
}

void coordinator::hand_stolen(device_id victim, device_id thief, const interval_set& ranges)
{
  std::vector<interval> back;
  std::vector<interval> on;
  auto movable = ranges;
  movable.erase(moved_.back());
  auto stays = ranges;
  stays.erase(movable);
  for (const auto& range : movable.intervals()) {
    if (planted(bug::granted_twice)) back.push_back(range);
    if (!planted(bug::moves_lost)) ledger_.move(range, victim, thief);
    on.push_back(range);
  }
  for (const auto& range : stays.intervals()) back.push_back(range);
  // moved_[k] has what was moved more than k times: what is in the last but one goes to the last, and so on.
  for (std::size_t k = moved_.size(); k-- > 1;) {
    for (const auto& range : movable.intervals()) moved_[k].insert(moved_[k - 1].within(range));
  }
  moved_[0].insert(movable);
  if (!on.empty()) {
    ++counters_.steals;
    counters_.stolen += movable.count();
    give(thief, on);
    wake_some();
  } else {
    ++counters_.steals_in_vain;
    try_later(at(thief));
  }
  give(victim, back);
  // Or it would be asked for the same over and over, and never get to run it: its data come anew each time.
  at(victim).immovable = on.empty() && !planted(bug::robbed_for_ever);
}

// Backups ---------------------------------------------------------------------------------------------------------

/// Whether what `device` is at takes much longer than it should.
bool coordinator::straggles(device_id number) const
{
  const auto& m = at(number);
  if (m.link == nullptr || !m.info.own_memory || ledger_.assigned(number).empty()) return false;
  const auto now = world_.now().count;
  const bool silent = m.take_request != 0 && now - m.asked.count > unanswered_s;
  const auto usual_s = options_.span / usual_worker_speed();  // a worker is at a span at least
  const auto long_s = std::max(2 * usual_s, options_.backup_after.count);
  if (m.immovable && unstarted_of(m) / speed_of(m) > long_s) return true;  // nobody else may begin it
  if (silent || m.suspect) return true;
  return m.hungry && now - m.hungry_since.count > long_s;
}

bool coordinator::back_up_for(device_id idle)
{
  auto& m = at(idle);
  if (!m.info.own_memory || !ledger_.assigned(idle).empty()) return false;
  const auto most = std::max(1.0, options_.backup_share * subtasks_);
  if (static_cast<double>(backed_up_) >= most) return false;
  if (!m.staging.empty() && !planted(bug::staged_twice)) return false;
  for (std::uint32_t d = 0; d < members_.size(); ++d) {
    if (d == idle.value || !straggles({d})) continue;
    auto left = ledger_.assigned({d});
    for (const auto& b : backups_) left.erase(b.range);
    left.erase(spoiled_);
    if (left.empty()) continue;
    const auto last = left.intervals().back();  // what it would come to last
    // As much as is soon done, or the end of a run of small subtasks would cost a message for each of them.
    const auto soon = std::min<double>(speed_of(m) * options_.backup_after.count / options_.span, last.size());
    const auto spans = std::max(static_cast<std::uint32_t>(soon), 1u);
    const auto from = (std::int64_t{(last.end - 1) / options_.span} - (spans - 1)) * options_.span;
    const interval range{std::max(static_cast<std::uint32_t>(std::max<std::int64_t>(from, 0)), last.begin), last.end};
    ++counters_.backups;
    backed_up_ += range.size();
    backups_.push_back({range, {d}, idle, 0, nullptr});
    m.staging.insert(range);
    m.link->stage(range);
    return true;
  }
  return false;
}

void coordinator::backed_up(device_id device, interval range, std::unique_ptr<arrived_values> values)
{
  auto& m = at(device);
  if (!is_heard(m)) return;
  const auto b = std::find_if(backups_.begin(), backups_.end(),
                              [&](const backup& x) { return x.by == device && x.range == range && !x.values; });
  m.staging.erase(range);
  m.next_try = world_.now();
  m.back_off_s = 0;
  if (b == backups_.end()) {  // its primary was quicker, or is gone
    counters_.wasted += range.size();
    return find_work();
  }
  b->values = std::move(values);
  auto& primary = at(b->primary);
  Expects(primary.link != nullptr);
  if (planted(bug::eager_backup)) {
    auto done = std::move(*b);
    backups_.erase(b);
    commit_backup(std::move(done));
    return check_end();
  }
  b->seal_request = ++primary.seal_requests;
  primary.link->seal(b->seal_request, interval_set{range});
  find_work();
}

void coordinator::settle_backups(device_id primary, std::uint64_t answers, const interval_set& fold_set)
{
  std::vector<backup> won;
  std::erase_if(backups_, [&](backup& b) {
    if (b.primary != primary) return false;
    if (fold_set.intersects(b.range)) {  // the primary was quicker; spans are folded whole
      if (b.values) counters_.wasted += b.range.size();
      return true;
    }
    const bool settled = (answers != 0 && answers >= b.seal_request) || planted(bug::any_seal_settles);
    if (b.values == nullptr || !settled) return false;
    won.push_back(std::move(b));
    return true;
  });
  for (auto& b : won) commit_backup(std::move(b));
}

/// The primary will never fold it: its seal said so, or it is fenced.
void coordinator::commit_backup(backup b)
{
  if (ledger_.assigned(b.primary).contains(b.range)) {
    ledger_.move(b.range, b.primary, b.by);
    at(b.primary).overtaken.insert(b.range);
  } else if (ledger_.free().contains(b.range)) {
    ledger_.assign(b.range, b.by);
  } else {  // somebody else has it by now
    counters_.wasted += b.range.size();
    return;
  }
  const interval_set fold_set{b.range};
  const auto judged = ledger_.accept({b.by, ledger_.incarnation(b.by), fold_set.count()}, fold_set);
  Ensures(judged == verdict::committed);
  ++counters_.backups_won;
  at(b.by).committed += fold_set.count();
  owner_.commit(*b.values, fold_set);
}

// Time ------------------------------------------------------------------------------------------------------------

std::optional<seconds> coordinator::next_tick() const
{
  if (!started_ || decided_) return std::nullopt;
  std::optional<seconds> next;
  for (const auto& m : members_) {
    if (!takes_work(m) || !m.hungry) continue;
    if (!next || m.next_try.count < next->count) next = m.next_try;
  }
  return next;
}

void coordinator::tick() { find_work(); }

}  // namespace fastgpu::inline v0::detail

#include "simulation/scenario.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "simulation/world.hpp"

namespace simulation {
namespace {

constexpr double fault_lasts_most = 12;

void choose_cluster(scenario& s, dice& d)
{
  const auto nodes = d.one_in(3) ? d.among(2, 16) : d.among(2, 5);
  s.local = d.one_in(3);
  const auto usual = d.magnitude(2, 100);  // subtasks a second and worker
  for (std::uint64_t p = 0; p < nodes + (s.local ? 1 : 0); ++p) {
    participant_plan plan;
    plan.workers = static_cast<std::uint32_t>(d.among(1, 4));
    plan.subtasks_per_second = usual * d.magnitude(0.25, 4);
    plan.speed_known = d.one_in(2);
    plan.latency = d.magnitude(50e-6, 50e-3);
    plan.bytes_per_second = d.magnitude(1e5, 1e9);
    plan.starts = d.one_in(4) ? d.between(0, 5) : 0;
    s.participants.push_back(plan);
  }
}

void choose_job(scenario& s, dice& d)
{
  s.span = d.one_in(2) ? 1 : 1u << d.below(7);
  double speed = 0;
  for (const auto& p : s.participants) speed += p.workers * p.subtasks_per_second;
  const auto wanted = speed * d.magnitude(1, 30);  // seconds
  s.subtasks = static_cast<std::uint32_t>(std::clamp(wanted, 1.0, 3000.0));
  if (d.one_in(16)) s.subtasks = static_cast<std::uint32_t>(d.among(1, 8));
  s.reserved = d.one_in(4);
  s.seal_every = d.one_in(3) ? 0 : d.magnitude(0.05, 5);
  s.broadcast = d.one_in(3);
  if (d.one_in(4)) s.slice_bytes = static_cast<std::uint32_t>(d.among(1, 200));

  s.steering.span = s.span;
  s.steering.bytes_per_subtask = s.slice_bytes;
  if (s.slice_bytes > 0) s.remote.grant_subtasks_of_data = s.span * static_cast<std::uint32_t>(d.among(1, 8));
  s.patience = d.between(20, 40);
  s.back_off_most = d.between(1, 10);
}

void choose_oddities(scenario& s, dice& d)
{
  s.odd.seal_each_batch = d.one_in(6);
  s.odd.keeps_all = d.one_in(8);
  s.odd.gives_back_odd = d.one_in(6);
  s.odd.late_news = d.one_in(6);
  s.odd.hears_the_dead = d.one_in(3);
  if (d.one_in(4)) s.odd.batch_spans_max = 1;
  if (d.one_in(4)) s.remote.window_bytes = d.among(1, 2000);
  if (d.one_in(4)) s.steering.backup_after = seconds{0.0};
  if (d.one_in(3)) s.steering.backup_share = 1;
  if (d.one_in(4)) s.steering.moves_max = 1;
  if (d.one_in(4)) s.node.seals_in_flight = 1;
  if (d.one_in(4)) s.node.progress_every = s.node.first_progress = seconds{d.magnitude(1e-3, 3)};
  if (d.one_in(8)) s.participants.back().refuses = true;
}

fault_kind choose_kind(dice& d)
{
  // Out of so many.
  constexpr std::array<std::pair<fault_kind, unsigned>, 12> weights{{
      {fault_kind::crash, 12},
      {fault_kind::crash_for_good, 2},
      {fault_kind::freeze, 12},
      {fault_kind::slow, 12},
      {fault_kind::cut, 8},
      {fault_kind::cut_to_node, 8},
      {fault_kind::cut_to_coordinator, 8},
      {fault_kind::reset, 10},
      {fault_kind::late, 10},
      {fault_kind::batch_error, 8},
      {fault_kind::child_loss, 8},
      {fault_kind::drain, 2},
  }};
  unsigned all = 0;
  for (const auto& w : weights) all += w.second;
  auto left = static_cast<unsigned>(d.below(all));
  for (const auto& w : weights) {
    if (left < w.second) return w.first;
    left -= w.second;
  }
  return fault_kind::crash;
}

void choose_faults(scenario& s, dice& d)
{
  const auto count = d.among(4, 40);
  const auto window = 1.2 * s.expected_time() + d.between(0, 10);
  for (std::uint64_t i = 0; i < count; ++i) {
    fault f;
    f.at = d.between(0, window);
    f.kind = choose_kind(d);
    f.participant = static_cast<std::uint32_t>(d.below(s.participants.size()));
    f.lasts = d.one_in(2) ? d.between(0.1, fault_lasts_most) : d.magnitude(0.01, 3);
    s.faults.push_back(f);
  }
  std::sort(s.faults.begin(), s.faults.end(), [](const fault& a, const fault& b) { return a.at < b.at; });
  if (d.one_in(16)) s.cancel_at = d.between(0, window);
  if (d.one_in(32))
    s.failing_kernel = static_cast<std::int64_t>(d.below(s.subtasks));
  else if (d.one_in(24))
    s.poison = static_cast<std::int64_t>(d.below(s.subtasks));
}

}  // namespace

const char* name_of(fault_kind kind)
{
  static constexpr const char* names[] = {
      "crash", "crash for good", "freeze",      "slow",       "cut",  "cut to node", "cut to coordinator",
      "reset", "late",           "batch error", "child loss", "drain"};
  return names[static_cast<std::size_t>(kind)];
}

double scenario::expected_time() const
{
  double speed = 0;
  for (const auto& p : participants) speed += p.workers * p.subtasks_per_second;
  return subtasks / speed;
}

double scenario::slowest_time() const
{
  double slowest = 0;
  for (const auto& p : participants) {
    slowest = std::max(slowest, std::max<double>(subtasks / p.workers, span) / p.subtasks_per_second);
  }
  return slowest;
}

scenario scenario_of(std::uint64_t seed, bool faults)
{
  scenario s;
  s.seed = seed;
  dice cluster{support::splitmix64(4 * seed)};
  dice job{support::splitmix64(4 * seed + 1)};
  dice odd{support::splitmix64(4 * seed + 2)};
  dice broken{support::splitmix64(4 * seed + 3)};
  choose_cluster(s, cluster);
  choose_job(s, job);
  if (!faults) return s;
  choose_oddities(s, odd);
  choose_faults(s, broken);
  return s;
}

}  // namespace simulation

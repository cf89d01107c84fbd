#include "simulation/scale.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>

#include "simulation/simulation.hpp"
#include "simulation/world.hpp"

namespace simulation {
namespace {

constexpr double work_s = 60;  // of all nodes together

/// Nodes whose speeds differ by up to four, unknown at the start.
scenario many(std::uint32_t nodes, std::uint32_t subtasks, bool speed_known)
{
  scenario s;
  s.seed = nodes;
  s.subtasks = subtasks;
  dice d{nodes};
  double speed = 0;
  for (std::uint32_t n = 0; n < nodes; ++n) {
    participant_plan p;
    p.workers = 4;
    p.subtasks_per_second = d.magnitude(0.5, 2);
    p.speed_known = speed_known;
    p.latency = d.between(50e-6, 200e-6);
    p.bytes_per_second = 1e9;
    speed += p.workers * p.subtasks_per_second;
    s.participants.push_back(p);
  }
  for (auto& p : s.participants) p.subtasks_per_second *= subtasks / (work_s * speed);
  s.seal_every = 2;
  s.odd.batch_spans_max = 1u << 30;
  s.odd.batch_s_max = 0.05;
  return s;
}

/// Four equal nodes of which one becomes ten times slower for good, in the midst of it. @return  Seconds.
double with_straggler(bool slow, double backup_share, bool& right)
{
  auto s = many(4, 2000, true);
  for (auto& p : s.participants) p.subtasks_per_second = 2000 / (work_s * 16);
  s.steering.backup_share = backup_share;
  if (slow) s.faults.push_back({work_s / 2, fault_kind::slow, 0, 1e6});
  const auto r = simulate(s, {.look = false});
  if (r.wrong) std::printf("%s\n", r.wrong->c_str());
  right = right && !r.wrong;
  return r.virtual_seconds;
}

}  // namespace

bool print_scale()
{
  bool right = true;
  const auto usual_s = with_straggler(false, 0.05, right);
  const auto backed_up_s = with_straggler(true, 0.05, right);
  const auto alone_s = with_straggler(true, 0, right);
  std::printf("4 nodes: %.2f s. One becomes 10 times slower halfway: %.2f s, without backups %.2f s\n\n", usual_s,
              backed_up_s, alone_s);
  std::printf(
      "  nodes   subtasks  speeds   efficiency  ended after  messages  a node  steals  in vain  backups  grants   "
      "CPU\n");
  for (const bool speed_known : {true, false}) {
    for (const std::uint32_t nodes : {10u, 30u, 100u, 300u, 1000u}) {
      for (const std::uint32_t subtasks : {1'000u, 100'000u, 10'000'000u}) {
        const auto begin = std::chrono::steady_clock::now();
        const auto r = simulate(many(nodes, subtasks, speed_known), {.look = false});
        const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        if (r.wrong) std::printf("%s\n", r.wrong->c_str());
        right = right && !r.wrong;
        const auto n = [](std::uint64_t x) { return static_cast<unsigned long long>(x); };
        std::printf("%7u %10u  %-7s %10.1f %% %9.2f s %9llu %7.1f %7llu %8llu %8llu %7llu %5.1f s\n", nodes, subtasks,
                    speed_known ? "known" : "unknown", 100 * work_s / r.virtual_seconds, r.virtual_seconds,
                    n(r.messages), static_cast<double>(r.messages) / nodes, n(r.counters.steals),
                    n(r.counters.steals_in_vain), n(r.counters.backups), n(r.counters.grants), took);
        std::fflush(stdout);
      }
    }
  }
  return right;
}

}  // namespace simulation

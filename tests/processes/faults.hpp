#pragma once

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

/// @file
/// What befalls nodes during one run, drawn from a seed; and how long the run may take then.

namespace oracle {

enum class fault_kind { killed, frozen, drained, worker_killed };

struct fault {
  fault_kind kind = fault_kind::killed;
  std::size_t node = 0;
  double at_s = 0;       ///< From the start of the run.
  double back_s = -1;    ///< When it is started again, or goes on; negative: never, in this run.

  friend std::ostream& operator<<(std::ostream& to, const fault& f)
  {
    static constexpr const char* words[] = {"killed", "frozen", "drained", "loses a worker"};
    to << "node " << f.node + 1 << ' ' << words[static_cast<int>(f.kind)] << " at " << f.at_s << " s";
    if (f.back_s >= 0) to << ", back at " << f.back_s << " s";
    return to;
  }
};

struct fault_plan {
  std::vector<fault> faults;  ///< By time; no node twice.

  friend std::ostream& operator<<(std::ostream& to, const fault_plan& plan)
  {
    for (const auto& f : plan.faults) to << f << "; ";
    return to;
  }
};

/// One to three of `nodes` nodes, within `within_s`.
inline fault_plan draw(std::mt19937_64& random, const std::vector<fault_kind>& kinds, std::size_t nodes,
                       double within_s, double dead_after_s)
{
  const auto uniform = [&](double from, double to) { return std::uniform_real_distribution<>{from, to}(random); };
  std::vector<std::size_t> who(nodes);
  for (std::size_t i = 0; i < nodes; ++i) who[i] = i;
  std::shuffle(who.begin(), who.end(), random);
  who.resize(1 + random() % (nodes - 1));

  fault_plan plan;
  for (const auto node : who) {
    fault f{kinds[random() % kinds.size()], node, uniform(0, within_s)};
    if (f.kind == fault_kind::frozen) {  // half of them for less than it takes to be given up
      f.back_s = f.at_s + (random() % 2 == 0 ? uniform(0.02, 0.7) * dead_after_s : uniform(1.2, 2) * dead_after_s);
    } else if (random() % 2 == 0) {
      f.back_s = f.at_s + uniform(0, 0.5);
    }
    plan.faults.push_back(f);
  }
  std::sort(plan.faults.begin(), plan.faults.end(), [](const fault& a, const fault& b) { return a.at_s < b.at_s; });
  return plan;
}

/// How long `ideal_s` of work on all nodes takes where those of the plan do nothing any more from their fault on and
/// lose what they have done in the last `sealed_every_s`.
inline double time_without(const fault_plan& plan, std::size_t nodes, double ideal_s, double sealed_every_s)
{
  const auto all = static_cast<double>(nodes);
  double left = ideal_s * all;  // node-seconds
  double now = 0;
  double alive = all;
  for (const auto& f : plan.faults) {
    const auto done = alive * (f.at_s - now);
    if (done >= left) break;
    left -= done;
    now = f.at_s;
    alive -= 1;
    if (f.kind != fault_kind::drained) left += std::min(f.at_s, sealed_every_s);
  }
  return now + left / alive;
}

}  // namespace oracle

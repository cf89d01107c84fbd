#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "simulation/bugs.hpp"
#include "simulation/scale.hpp"
#include "simulation/simulation.hpp"

/// @file
/// Seeds after seeds of runs in which everything breaks.

namespace {

struct wanted {
  std::uint64_t seeds = 1000;
  std::uint64_t first = 1;
  bool trace = false;
  bool quiet = false;
  bool faults = true;
  bool all = false;
};

constexpr const char* help =
    R"(fastgpu_simulation [--seeds N] [--first S] [--trace] [--quiet] [--no-faults] [--all] [--bug NAME]
fastgpu_simulation --scale

Runs the coordinator and its nodes in virtual time, with faults that the seed chooses, and checks what counts.

--seeds N    so many seeds (1000)
--first S    from this one on (1)
--trace      every event of every seed
--quiet      only what is wrong
--no-faults  nothing breaks
--scale      no seeds: what 10 to 1,000 nodes do with 10^3 to 10^7 subtasks
--bug NAME   with a bug that is known; --bug list names them
--all        goes on after a seed that is wrong

Exit status: 0 all right, 1 a seed is wrong or stuck, 2 wrong usage.
)";

int run(const wanted& w)
{
  const auto start = std::chrono::steady_clock::now();
  std::map<std::string, std::uint64_t> outcomes;
  simulation::report total;
  std::uint64_t bad = 0;
  std::uint64_t done = 0;
  fastgpu::detail::coordinator_counters sums;
  for (auto seed = w.first; seed < w.first + w.seeds; ++seed) {
    const auto r = simulation::simulate(seed, {.faults = w.faults, .trace = w.trace});
    ++done;
    total.virtual_seconds += r.virtual_seconds;
    total.events += r.events;
    for (std::size_t k = 0; k < r.faults.size(); ++k) total.faults[k] += r.faults[k];
    sums.steals += r.counters.steals;
    sums.backups += r.counters.backups;
    sums.backups_won += r.counters.backups_won;
    sums.fenced += r.counters.fenced;
    if (r.wrong) {
      ++bad;
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), r.wrong->c_str());
      std::fflush(stdout);
      if (!w.all) break;
    } else {
      ++outcomes[r.outcome];
    }
    if (w.trace)
      std::printf("seed %llu: trace %016llx\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(r.trace_hash));
  }
  if (!w.quiet) {
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto n = [](std::uint64_t x) { return static_cast<unsigned long long>(x); };
    std::printf("%llu seeds, %llu wrong; %llu faults, %llu events, %.1f virtual hours; %.1f s, %.0f seeds/s\n", n(done),
                n(bad), n(total.all_faults()), n(total.events), total.virtual_seconds / 3600, took,
                static_cast<double>(done) / took);
    for (std::size_t k = 0; k < total.faults.size(); ++k) {
      std::printf("  %-20s %llu\n", name_of(static_cast<simulation::fault_kind>(k)), n(total.faults[k]));
    }
    for (const auto& [name, times] : outcomes) std::printf("  outcome: %-18s %llu\n", name.c_str(), n(times));
    std::printf("  steals %llu, backups %llu, of these won %llu, fenced %llu\n", n(sums.steals), n(sums.backups),
                n(sums.backups_won), n(sums.fenced));
  }
  return bad == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv)
{
  wanted w;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
    if (option == "--seeds") {
      w.seeds = number();
    } else if (option == "--first") {
      w.first = number();
    } else if (option == "--trace") {
      w.trace = true;
    } else if (option == "--quiet") {
      w.quiet = true;
    } else if (option == "--no-faults") {
      w.faults = false;
    } else if (option == "--scale") {
      return simulation::print_scale() ? 0 : 1;
    } else if (option == "--bug") {
      const std::string_view name = i + 1 < argc ? argv[++i] : "";
      const auto which = simulation::bug_named(name);
      if (!which) {
        for (const auto& b : simulation::bugs) std::printf("%s\n", b.name);
        return name == "list" ? 0 : 2;
      }
      fastgpu::detail::planted_bug = *which;
    } else if (option == "--all") {
      w.all = true;
    } else if (option == "--help") {
      std::fputs(help, stdout);
      return 0;
    } else {
      std::fprintf(stderr, "fastgpu_simulation: unknown option %s\n", argv[i]);
      return 2;
    }
  }
  return run(w);
}

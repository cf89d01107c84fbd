#include <cstdint>
#include <string>

#include <fastgpu/fastgpu.hpp>

#include "support/chain.hpp"
#include "support/peers.hpp"
#include "support/report.hpp"

/// @file
/// What a whole run costs that has next to nothing to do: a call of the library, from job to summary.

namespace {

using bench::schedule;

/// Runs of `subtasks` empty subtasks each, on two threads, one call right after the other.
void small_run(benchmark::State& state, std::uint64_t subtasks)
{
  constexpr int threads = 2;
  const auto f = [](std::uint64_t i) { bench::keep(i); };
  fastgpu::cluster cluster{"host:2"};
  bench::paired contest{1, bench::sized(2000, 10)};
  contest.add("fastgpu", [&] { fastgpu::for_each(cluster, fastgpu::space{subtasks, fastgpu::by_size{1}}, f); });
  for (const auto peer : {schedule::tbb_auto, schedule::omp_static})
    bench::add_loop(contest, peer, threads, subtasks, f);
  bench::add_plain_loop(contest, subtasks, f);
  contest.run(31);
  bench::report(state, contest,
                {{.what = "wall time a run",
                  .key = "wall_us",
                  .value = contest.each_round([](const std::vector<double>& s) { return s[0] * 1e6; }),
                  .unit = "us"}});
}

const bench::registration all{[] {
  for (const std::uint64_t subtasks : {1u, 2u, 100u}) {
    bench::add("run/small/" + std::to_string(subtasks), [=](auto& state) { small_run(state, subtasks); });
  }
}};

}  // namespace

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/instructions.hpp"
#include "support/report.hpp"

/// @file
/// Instructions for a subtask that does nothing, on one thread: the slope of callgrind's count between two numbers of
/// subtasks. The gate where times are noisy: it is the same on a busy machine.
///
/// Bounds  15 instructions in batches, 250 one by one.

namespace {

/// @param peers  Counted beside fastgpu, for information.
void instructions(benchmark::State& state, const std::string& mode, double bound, const std::vector<std::string>& peers)
{
  const auto few = bench::sized<std::uint64_t>(100'000, 1'000);
  const auto many = bench::sized<std::uint64_t>(1'100'000, 6'000);
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "subtask_instructions";
  const auto slope = [&](const std::string& of) {
    return bench::instructions_slope(std::string{"'"}.append(program.string()).append("' ").append(of).append(" "), "", few,
                                     many);
  };
  std::vector<bench::figure> figures;
  const auto add = [&](const std::string& who, const std::string& of) {
    if (const auto found = slope(of)) {
      figures.push_back({.what = "instructions, " + who,
                         .key = "instructions/" + who,
                         .value = {*found, *found, *found}});
    }
  };
  add("fastgpu", "fastgpu_" + mode);
  if (figures.empty()) {
    state.SkipWithError("needs valgrind");
    return;
  }
  figures[0].bound = bound;
  for (const auto& peer : peers) add(peer, peer);
  bench::report(state, figures);
}

const bench::registration all{[] {
  bench::add("subtask_instructions/in_batches",
             [](auto& state) { instructions(state, "in_batches", 15, {"tbb_auto", "omp_static", "plain_loop"}); });
  // A kernel of indices does not ask where subtasks begin, and its batches are one loop; a kernel of blocks is called
  // for each of them.
  bench::add("subtask_instructions/blocks_in_batches",
             [](auto& state) { instructions(state, "blocks_in_batches", 15, {}); });
  bench::add("subtask_instructions/one_by_one",
             [](auto& state) { instructions(state, "one_by_one", 250, {"tbb_grain_1", "omp_dynamic_1"}); });
}};

}  // namespace

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "paired.hpp"

/// @file
/// What a benchmark found, as a row of the table and as counters of Google Benchmark's JSON.

namespace bench {

enum class bound_kind { at_most, at_least };

/// One number that a benchmark is about.
struct figure {
  std::string what;  ///< For readers: "time over oneTBB's".
  std::string key;   ///< In the JSON: counters <key>, <key>_low, <key>_high, <key>_bound, <key>_met.
  estimate value = {};
  std::optional<double> bound = {};  ///< None: for information.
  bound_kind kind = bound_kind::at_most;
  /// What of the value is held against the bound. The benchmarks that promise to be "not worse than" take the end of
  /// the interval that speaks for fastgpu; all others the median.
  double judged = value.median;
  std::string unit = {};

  [[nodiscard]] bool met() const
  {
    return !bound || (kind == bound_kind::at_most ? judged <= *bound : judged >= *bound);
  }
};

/// Time over that of the best peer, with `bound` or none.
[[nodiscard]] figure time_over_best_peer(const paired& contest, std::optional<double> bound = {});

/// Reports a contest: its figures, and every contestant's median time.
void report(benchmark::State& state, const paired& contest, std::vector<figure> figures);

/// Reports figures that come from no contest. @param seconds  What the benchmark is said to have taken.
void report(benchmark::State& state, std::vector<figure> figures, double seconds = 0, std::string note = {});

/// In place of a report: what was measured went wrong, so that no figure means anything. The exit status is 1 then.
void fail(benchmark::State& state, const std::string& why);

/// What a file knows of the machine beside its CPU, for the table's head and the JSON: keys and values. Called once,
/// when the options are read.
void describe_machine_by(std::function<std::vector<std::pair<std::string, std::string>>()> describe);

/// Adds a benchmark. It is run once, and calls report() once.
bool add(const std::string& name, std::function<void(benchmark::State&)> run);

/// Adds the benchmarks of a file before main(): `const bench::registration all{[] { bench::add(...); }};`
struct registration {
  explicit registration(void (*add_all)()) { add_all(); }
};

}  // namespace bench

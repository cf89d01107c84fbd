#pragma once

#include <functional>
#include <string>

#include "gpu.hpp"
#include "report.hpp"

/// @file
/// Benchmarks on a GPU. Without one they are listed as skipped.

namespace bench {

/// As add(), for a benchmark that needs a GPU. What `run` throws fails the benchmark.
bool add_on_gpu(const std::string& name, std::function<void(benchmark::State&)> run);

}  // namespace bench

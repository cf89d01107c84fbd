#pragma once

#include <limits>
#include <utility>

#include <fastgpu/observe/summary.hpp>

/// @file
/// Times on a machine that does other things too.

namespace support {

/// The shortest of up to `times` runs, of which none follows one that took at most `enough_s` on the wall clock: what
/// else a machine does can only make runs longer. `run` returns a fastgpu::run_summary.
template <typename Run>
fastgpu::run_summary undisturbed(double enough_s, Run run, int times = 10)
{
  fastgpu::run_summary shortest;
  shortest.wall_s = std::numeric_limits<double>::infinity();
  for (int i = 0; i < times && shortest.wall_s > enough_s; ++i) {
    if (fastgpu::run_summary s = run(); s.wall_s < shortest.wall_s) shortest = std::move(s);
  }
  return shortest;
}

}  // namespace support

#pragma once

#include <vector>

#include <fastgpu/model/measure.hpp>
#include <fastgpu/model/prediction.hpp>
#include <fastgpu/observe/summary.hpp>

/// @file
/// Asking a program what its job is like, in the place of running it.

namespace program {

/// While there is one, session::run() measures the job for it, and the program ends after that with status 0.
struct job_probe {
  fastgpu::measure_options how{};
  int runs = 0;  ///< The job is run so often, too, and measured anew before each.
  std::vector<fastgpu::job_profile> profiles{};  ///< What was found: one, or one for each run.
  std::vector<fastgpu::run_summary> summaries{};  ///< Of the runs.
};

/// The one of this process; null: programs run their jobs.
/// @par Threads  The one that calls command_line::run().
[[nodiscard]] job_probe*& probe_of_this_process() noexcept;

/// Thrown by session::run() when the probe has what it wants.
struct probed {};

}  // namespace program

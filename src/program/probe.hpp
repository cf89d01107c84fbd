#pragma once

#include <optional>

#include <fastgpu/model/measure.hpp>
#include <fastgpu/model/prediction.hpp>

/// @file
/// Asking a program what its job is like, in the place of running it.

namespace program {

/// While there is one, session::run() measures the job for it, and the program ends there with status 0.
struct job_probe {
  fastgpu::measure_options how{};
  std::optional<fastgpu::job_profile> profile{};  ///< What was found.
};

/// The one of this process; null: programs run their jobs.
/// @par Threads  The one that calls command_line::run().
[[nodiscard]] job_probe*& probe_of_this_process() noexcept;

/// Thrown by session::run() when the probe has what it wants.
struct probed {};

}  // namespace program

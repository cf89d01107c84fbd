#pragma once

#include <string>
#include <vector>

#include "program/probe.hpp"

/// @file
/// The jobs of the example programs, without running those as processes.

namespace program {

/// Their names, as a sentence has them: "a, b or c".
[[nodiscard]] std::string job_names();

[[nodiscard]] bool is_job(const std::string& name);

/// Asks program `name` with the options `words` what its job is like.
/// @return        The program's exit status, where it ended before it had a job, having said why; 0 otherwise.
/// @pre           is_job(name)
/// @par Threads   One at a time.
int probe_job(const std::string& name, const std::vector<std::string>& words, job_probe& probe);

}  // namespace program

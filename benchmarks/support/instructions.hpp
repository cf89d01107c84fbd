#pragma once

#include <cstdint>
#include <optional>
#include <string>

/// @file
/// Counts of callgrind's, which do not depend on what else the machine does.

namespace bench {

/// Instructions in user space for one thing more: the slope between two runs of `command` COUNT `rest`, of all processes
/// that it starts. None where it or callgrind is not there.
[[nodiscard]] std::optional<double> instructions_slope(const std::string& command, const std::string& rest,
                                                       std::uint64_t few, std::uint64_t many);

}  // namespace bench

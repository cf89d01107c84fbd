#pragma once

#include <string>

#include "net/session.hpp"

/// @file
/// What this process says of itself in a handshake.

namespace fastgpu::inline v0::detail {

/// Version and build of this library. Two processes work on one job only where both are the same: values and partials
/// travel as bytes.
[[nodiscard]] session_self this_process(std::string name);

/// The same, as a node that listens, or that dials a coordinator.
[[nodiscard]] session_self this_node(std::string name, bool listens);

}  // namespace fastgpu::inline v0::detail

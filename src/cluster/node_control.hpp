#pragma once

#include <optional>
#include <string>

#include <fastgpu/cluster/credentials.hpp>

/// @file
/// What an operator asks of a node.

namespace fastgpu::inline v0::detail {

/// Asks a node to drain, and waits until it has heard so.
/// @throws error  errc::node_unreachable, errc::refused, errc::node_lost
void drain_node(const std::string& address, const std::optional<credentials>& as);

}  // namespace fastgpu::inline v0::detail

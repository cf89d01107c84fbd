#pragma once

/// @file
/// The same policies with many nodes.

namespace simulation {

/// A table of nodes and subtasks: how well the nodes were used, what was said, how long it took.
/// @return  Whether all runs ended right.
bool print_scale();

}  // namespace simulation

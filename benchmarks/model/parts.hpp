#pragma once

#include <string>

#include "model/point.hpp"

/// @file
/// The parts of t_total. Each runs what it predicts, and says what it found.

namespace bench {

struct sweep_options {
  bool smoke = false;   ///< Some points, short: shows that everything runs; figures mean nothing.
  std::string devices;  ///< Of part `cores`; empty: this machine's.
};

/// Devices that wait, in this process: nodes x GPUs, costs of several shapes, equal and unequal speeds.
[[nodiscard]] findings sweep_paced(const sweep_options& options);

/// Such devices in node processes, over TLS on loopback: nodes x GPUs x bytes; formulas 1 and 2 with the links' time.
[[nodiscard]] findings sweep_nodes(const sweep_options& options);

/// Formula 2 with several subtasks at once on a GPU, and formula 3.
[[nodiscard]] findings sweep_formulas(const sweep_options& options);

/// Inputs of 1 MB and more to one node.
[[nodiscard]] findings sweep_transfers(const sweep_options& options);

/// The example programs on the cores, or other devices of this process.
[[nodiscard]] findings sweep_cores(const sweep_options& options);

/// Granule, batch, policy and devices by the model, against the best that was measured.
[[nodiscard]] findings sweep_settings(const sweep_options& options);

}  // namespace bench

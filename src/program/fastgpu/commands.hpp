#pragma once

#include <CLI/CLI.hpp>

/// @file
/// The commands of the program `fastgpu`. Each adds itself with its options and runs when it was parsed; it sets the
/// exit status, or throws.

namespace program {

void add_calibrate_command(CLI::App& app, int& status);
void add_node_command(CLI::App& app, int& status);
void add_credentials_command(CLI::App& app, int& status);
void add_devices_command(CLI::App& app, int& status);
void add_drain_command(CLI::App& app, int& status);
void add_predict_command(CLI::App& app, int& status);

}  // namespace program

#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <fastgpu/cluster/cluster.hpp>

#include "program/usage_error.hpp"

/// @file
/// The options --nodes and --credentials, the same in every program.

namespace program {

struct node_choice {
  std::vector<std::string> addresses;  ///< `[NAME@]HOST:PORT` or `unix:/PATH`.
  std::string accept;                  ///< Where nodes dial in; empty: nowhere.
  std::string credentials;             ///< A folder.
};

void add_node_options(CLI::App& app, node_choice& to, const std::string& group);

/// Whether `address` is one that nobody may use without credentials.
[[nodiscard]] bool needs_credentials(const std::string& address);

/// Adds them all; one that cannot be reached is a warning.
/// @throws usage_error     where an address needs credentials and there are none.
/// @throws fastgpu::error  as cluster::add_node() and credentials::load()
void add_nodes(fastgpu::cluster& cluster, const node_choice& nodes);

}  // namespace program

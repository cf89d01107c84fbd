#include "program/nodes.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include <fastgpu/cluster/credentials.hpp>

namespace program {

void add_node_options(CLI::App& app, node_choice& to, const std::string& group)
{
  app.add_option("--nodes", to.addresses,
                 "Nodes whose devices take part, joined by commas: HOST:PORT, NAME@HOST:PORT (only a node of that name) "
                 "or unix:/PATH")
      ->delimiter(',')
      ->group(group);
  app.add_option("--accept-nodes", to.accept, "Where nodes may dial in meanwhile: HOST:PORT or unix:/PATH")->group(group);
  app.add_option("--credentials", to.credentials, "Folder with the key and certificates to show nodes")->group(group);
}

bool needs_credentials(const std::string& address) { return !address.starts_with("unix:"); }

void add_nodes(fastgpu::cluster& cluster, const node_choice& nodes)
{
  if (nodes.addresses.empty() && nodes.accept.empty()) return;
  std::optional<fastgpu::credentials> mine;
  if (!nodes.credentials.empty()) {
    mine = fastgpu::credentials::load(nodes.credentials);
  } else if (const auto at = std::find_if(nodes.addresses.begin(), nodes.addresses.end(), needs_credentials);
             at != nodes.addresses.end()) {
    throw usage_error{"--nodes '" + *at + "' needs --credentials DIR: nodes on the network ask who you are"};
  }
  if (!nodes.accept.empty()) {
    if (!mine && needs_credentials(nodes.accept)) {
      throw usage_error{"--accept-nodes '" + nodes.accept + "' needs --credentials DIR"};
    }
    const auto where = mine ? cluster.accept_nodes(nodes.accept, *mine) : cluster.accept_nodes(nodes.accept);
    std::fprintf(stderr, "nodes may dial in at %s\n", where.c_str());
  }
  for (const auto& address : nodes.addresses) {
    if (mine) {
      cluster.add_node(address, *mine);
    } else {
      cluster.add_node(address);
    }
  }
}

}  // namespace program

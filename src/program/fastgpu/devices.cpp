#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include <fastgpu/cluster/cluster.hpp>

#include "program/fastgpu/commands.hpp"
#include "program/nodes.hpp"

namespace program {
namespace {

struct choice {
  std::string devices;
  node_choice nodes;
};

std::string memory_of(const fastgpu::device_info& d)
{
  return d.memory_bytes == 0 ? "-" : std::to_string(d.memory_bytes >> 30) + " GiB";
}

int print_devices(const choice& chosen)
{
  fastgpu::cluster cluster{chosen.devices};
  add_nodes(cluster, chosen.nodes);
  const auto devices = cluster.devices();
  std::size_t width = 6;
  for (const auto& d : devices) width = std::max(width, d.name.size());
  std::printf("%3s  %-4s  %-*s  %-7s  %7s  %9s  %s\n", "id", "node", static_cast<int>(width), "device", "kind", "workers",
              "memory", "model or numeric class");
  std::size_t nodes = 0;
  std::uint32_t last = 0;
  for (const auto& d : devices) {
    std::printf("%3u  %-4s  %-*s  %-7s  %7u  %9s  %s\n", d.id.value,
                d.node.value == 0 ? "here" : std::to_string(d.node.value).c_str(), static_cast<int>(width),
                d.name.c_str(), d.kind.c_str(), d.workers, memory_of(d).c_str(),
                d.model.empty() ? d.numeric_class.c_str() : d.model.c_str());
    if (d.node.value != 0 && d.node.value != last) ++nodes;
    last = d.node.value;
  }
  return nodes == chosen.nodes.addresses.size() ? 0 : 1;
}

}  // namespace

void add_devices_command(CLI::App& app, int& status)
{
  auto* command = app.add_subcommand("devices", "List the devices that a program could use");
  const auto chosen = std::make_shared<choice>();
  command->add_option("--devices", chosen->devices, "This machine's, as in every program; none: nodes' alone");
  add_node_options(*command, chosen->nodes, command->get_option("--devices")->get_group());
  command->callback([chosen, &status] { status = print_devices(*chosen); });
}

}  // namespace program

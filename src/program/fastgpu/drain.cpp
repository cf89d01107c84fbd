#include <memory>
#include <optional>
#include <string>

#include <fastgpu/cluster/credentials.hpp>

#include "cluster/node_control.hpp"
#include "program/fastgpu/commands.hpp"
#include "program/nodes.hpp"

namespace program {

void add_drain_command(CLI::App& app, int& status)
{
  auto* command = app.add_subcommand("drain", "Let nodes finish what they have begun, and end");
  const auto chosen = std::make_shared<node_choice>();
  add_node_options(*command, *chosen, command->get_option("--help")->get_group());
  command->get_option("--nodes")->required();
  command->callback([chosen, &status] {
    std::optional<fastgpu::credentials> mine;
    if (!chosen->credentials.empty()) mine = fastgpu::credentials::load(chosen->credentials);
    for (const auto& address : chosen->addresses) {
      if (!mine && needs_credentials(address)) throw usage_error{"--nodes '" + address + "' needs --credentials DIR"};
      fastgpu::detail::drain_node(address, mine);
    }
    status = 0;
  });
}

}  // namespace program

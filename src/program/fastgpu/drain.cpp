#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/error.hpp>

#include "cluster/node_control.hpp"
#include "net/address.hpp"
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
      (void)fastgpu::detail::parse_address(address);
    }
    status = 0;
    for (const auto& address : chosen->addresses) {  // one that cannot be does not keep the others from it
      try {
        fastgpu::detail::drain_node(address, mine);
      } catch (const fastgpu::error& e) {
        std::fprintf(stderr, "fastgpu: %s\n", e.what());
        status = 1;
      }
    }
  });
}

}  // namespace program

#include <cstdio>
#include <memory>
#include <string>

#include "net/authority.hpp"
#include "program/fastgpu/commands.hpp"

namespace program {
namespace {

struct choice {
  std::string folder;
  fastgpu::detail::principals who;
  fastgpu::detail::validity days;
};

void add_principals(CLI::App& command, choice& to)
{
  command.add_option("DIR", to.folder, "Folder for the CA and, in a folder each, its principals")->required();
  command.add_option("--node", to.who.nodes, "A node's name; again for more");
  command.add_option("--client", to.who.clients, "Who may submit jobs; again for more");
  command.add_option("--operator", to.who.operators, "Who may drain nodes, too; again for more");
  command.add_option("--days", to.days.principal_days, "Until they expire")->check(CLI::Range(1, 36500))->capture_default_str();
}

void tell(const choice& made)
{
  const auto all = {&made.who.nodes, &made.who.clients, &made.who.operators};
  for (const auto* names : all) {
    for (const auto& name : *names) std::printf("%s/%s\n", made.folder.c_str(), name.c_str());
  }
}

}  // namespace

void add_credentials_command(CLI::App& app, int& status)
{
  auto* command = app.add_subcommand("credentials", "Make the keys and certificates by which nodes and users know each other");
  command->require_subcommand(1);
  const auto chosen = std::make_shared<choice>();
  auto* create = command->add_subcommand("create", "A CA, and a folder for each name, to be copied to its machine whole");
  add_principals(*create, *chosen);
  create->callback([chosen, &status] {
    fastgpu::detail::create_credentials(chosen->folder, chosen->who, chosen->days);
    tell(*chosen);
    status = 0;
  });
  const auto later = std::make_shared<choice>();
  auto* add = command->add_subcommand("add", "More names of a CA that is there");
  add_principals(*add, *later);
  add->callback([later, &status] {
    fastgpu::detail::add_credentials(later->folder, later->who, later->days);
    tell(*later);
    status = 0;
  });
}

}  // namespace program

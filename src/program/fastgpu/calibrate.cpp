#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>

#include <fastgpu/error.hpp>
#include <fastgpu/model/calibrate.hpp>

#include "program/checks.hpp"
#include "program/cluster_file.hpp"
#include "program/fastgpu/commands.hpp"
#include "program/files.hpp"
#include "program/nodes.hpp"

namespace program {
namespace {

struct calibrate_choice {
  std::string devices;
  node_choice nodes;
  std::string output;
  double each_s = 0.1;
};

int measure(const calibrate_choice& chosen)
{
  if (!chosen.output.empty()) check_writable(chosen.output);
  fastgpu::cluster cluster{chosen.devices};
  add_nodes(cluster, chosen.nodes);
  fastgpu::calibrate_options options{.each = fastgpu::seconds{chosen.each_s}};
  options.progress = [](void*, const char* what) { std::fprintf(stderr, "fastgpu calibrate: %s\n", what); };
  const auto measured = fastgpu::calibrate(cluster, options);
  const auto there =
      static_cast<std::size_t>(std::count_if(measured.model.nodes.begin(), measured.model.nodes.end(),
                                             [](const fastgpu::node_model& n) { return n.bytes_per_second > 0; }));
  if (there < chosen.nodes.addresses.size()) {  // what is missing would be missed in every prediction
    throw fastgpu::error{fastgpu::errc::node_unreachable, "of the " + std::to_string(chosen.nodes.addresses.size()) +
                                                              " nodes of --nodes only " + std::to_string(there) +
                                                              " could be measured"};
  }
  const auto text = to_toml(measured);
  if (chosen.output.empty()) {
    std::fputs(text.c_str(), stdout);
  } else {
    write_file(chosen.output, text);
  }
  return 0;
}

}  // namespace

void add_calibrate_command(CLI::App& app, int& status)
{
  auto* command = app.add_subcommand("calibrate", "Measure devices, links and runs, for predict --cluster");
  const auto chosen = std::make_shared<calibrate_choice>();
  command->add_option("--devices", chosen->devices, "This machine's, as in every program; none: nodes' alone");
  add_node_options(*command, chosen->nodes, command->get_option("--devices")->get_group());
  command->add_option("--output", chosen->output, "File for what comes out; else it is printed")->type_name("FILE");
  command->add_option("--each", chosen->each_s, "Length of the runs that are timed; a device takes ten times as much")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, 10.0))
      ->capture_default_str();
  command->callback([chosen, &status] { status = measure(*chosen); });
}

}  // namespace program

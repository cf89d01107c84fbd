#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include <fastgpu/cluster/worker.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/observe/log.hpp>
#include <fastgpu/version.hpp>

#include "program/fastgpu/commands.hpp"
#include "program/usage_error.hpp"

/// @file
/// The program `fastgpu`: nodes with the kernels of all examples, and what is needed around them.

int main(int argc, char** argv)
{
  if (const auto ended = fastgpu::run_as_worker(argc, argv)) return *ended;
  CLI::App app{"Nodes, credentials and predictions of fastgpu", "fastgpu"};
  app.set_version_flag("--version", std::string{"fastgpu "} + fastgpu::version());
  app.set_help_flag("--help", "Print this help and exit");
  app.require_subcommand(0, 1);  // none is looked for below: CLI11 would not say which word is none
  std::string log_level = "warning";
  app.add_option("--log-level", log_level, "trace, debug, info, warning, error or off")->capture_default_str();
  app.fallthrough();

  int status = 0;
  program::add_node_command(app, status);
  program::add_credentials_command(app, status);
  program::add_devices_command(app, status);
  program::add_drain_command(app, status);
  program::add_predict_command(app, status);
  program::add_calibrate_command(app, status);

  const auto complain = [](const char* what, int result) {
    std::string line{what};
    line.resize(std::min(line.size(), line.find('\n')));
    std::fprintf(stderr, "fastgpu: %s\n", line.c_str());
    return result;
  };
  try {
    app.parse_complete_callback([&] { fastgpu::set_log(fastgpu::log_level_named(log_level)); });
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      throw program::usage_error{"a command is expected: node, credentials, devices, drain, predict or calibrate"};
    }
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return complain((std::string{e.what()} + " (see --help)").c_str(), 2);
  } catch (const program::usage_error& e) {
    return complain((std::string{e.what()} + " (see --help)").c_str(), 2);
  } catch (const fastgpu::error& e) {
    return complain(e.what(), e.code() == fastgpu::errc::invalid_argument ? 2 : 1);
  } catch (const std::exception& e) {
    return complain(e.what(), 1);
  }
  return status;
}

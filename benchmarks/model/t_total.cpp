#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <fastgpu/model/calibrate.hpp>
#include <fastgpu/version.hpp>

#include "model/parts.hpp"
#include "model/utc.hpp"
#include "program/files.hpp"

/// @file
/// The benchmark t_total: what the model and the formulas say, and what runs take.

namespace {

const std::vector<std::pair<std::string, bench::findings (*)(const bench::sweep_options&)>> parts{
    {"paced", &bench::sweep_paced},         {"formulas", &bench::sweep_formulas}, {"nodes", &bench::sweep_nodes},
    {"transfers", &bench::sweep_transfers}, {"settings", &bench::sweep_settings}, {"cores", &bench::sweep_cores}};

struct choice {
  std::vector<std::string> parts;
  std::string json;
  bool check = false;
  bench::sweep_options how;
};

/// After each part what there is: the next one may fail, or be interrupted.
void write_report(const choice& chosen, const boost::json::array& found)
{
  if (chosen.json.empty()) return;
  const boost::json::object report{{"schema", 1},
                                   {"date", fastgpu::detail::utc_text(std::chrono::system_clock::now())},
                                   {"machine", fastgpu::machine_name()},
                                   {"version", fastgpu::version()},
                                   {"smoke", chosen.how.smoke},
                                   {"parts", found}};
  program::write_file(chosen.json, boost::json::serialize(report) + "\n");
}

int run(const choice& chosen)
{
  if (!chosen.json.empty()) program::check_writable(chosen.json);
  std::printf("t_total of fastgpu %s on %s\n\n", fastgpu::version(), fastgpu::machine_name().c_str());
  boost::json::array found;
  bool met = true;
  for (const auto& [name, sweep] : parts) {
    if (!chosen.parts.empty() && std::find(chosen.parts.begin(), chosen.parts.end(), name) == chosen.parts.end())
      continue;
    std::fprintf(stderr, "t_total: %s\n", name.c_str());
    const auto what = sweep(chosen.how);
    bench::print(what);
    for (const auto& p : what.promises) met = met && p.met();
    found.push_back(bench::to_json(what));
    write_report(chosen, found);
  }
  return chosen.check && !met ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv)
{
  CLI::App app{"Holds the model of runs and the formulas for T_total against runs", "t_total"};
  app.set_help_flag("--help", "Print this help and exit");
  choice chosen;
  std::vector<std::string> names;
  for (const auto& [name, sweep] : parts) names.push_back(name);
  app.add_option("--part", chosen.parts, "paced, formulas, nodes, transfers, settings or cores; default: all")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--devices", chosen.how.devices, "Of part cores, as in every program: cuda:0 for a GPU");
  app.add_option("--json", chosen.json, "Write what was found as JSON, for scripts/plot-t-total")->type_name("FILE");
  app.add_flag("--check", chosen.check, "Exit status 1 where a bound is not met");
  app.add_flag("--smoke", chosen.how.smoke, "Some short points: shows only that everything runs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "t_total: %s (see --help)\n", e.what());
    return 2;
  }
  try {
    return run(chosen);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "t_total: %s\n", e.what());
    return 1;
  }
}

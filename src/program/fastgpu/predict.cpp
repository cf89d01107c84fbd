#include <memory>

#include "program/checks.hpp"
#include "program/fastgpu/commands.hpp"
#include "program/fastgpu/example_jobs.hpp"
#include "program/fastgpu/formulas.hpp"
#include "program/fastgpu/prediction.hpp"
#include "program/usage_error.hpp"

namespace program {
namespace {

struct predict_choice {
  formula_choice formula;
  prediction_choice job;
};

void add_job_options(CLI::App& command, prediction_choice& to)
{
  const auto group = "Prediction of a job";
  command.add_option("--job", to.job, "A program, " + job_names() + ", whose own options follow; some of it is run here")
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--cluster", to.cluster_file,
                  "TOML file of nodes, devices, links and prices; else --node-count nodes of --gpus-per-node GPUs")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--calibration", to.calibration,
                  "What fastgpu calibrate wrote on this machine: what runs cost beside their subtasks")
      ->type_name("FILE")
      ->group(group);
  const auto number = [&](const char* name, double& value, const char* about, const CLI::Validator& check) {
    command.add_option(name, value, about)->check(check)->type_name("")->capture_default_str()->group(group);
  };
  number("--speed", to.speed, "Of a GPU, relative to a worker of the device that the job is measured on",
         above_zero("NUMBER"));
  number("--latency", to.latency_s, "There and back", zero_or_more("SECONDS"));
  number("--link", to.bandwidth, "Bytes a second of each node's link", above_zero("NUMBER"));
  number("--price", to.price, "Of a node an hour", zero_or_more("NUMBER"));
  number("--budget", to.budget_s, "To measure for", above_zero("SECONDS"));
}

/// @return  The exit status.
int predict(CLI::App& command, predict_choice& chosen)
{
  const auto others = command.remaining();
  if (!chosen.formula.name.empty()) {
    if (!chosen.job.job.empty()) throw usage_error{"predict: --formula or --job, not both"};
    if (!others.empty()) throw usage_error{"predict: '" + others.front() + "' is not known"};
    print_formula(chosen.formula);
    return 0;
  }
  if (chosen.job.job.empty()) {
    throw usage_error{"predict: --job (" + job_names() + ") or --formula (" + formula_names() + ") is required"};
  }
  if (!chosen.job.calibration.empty() && !chosen.job.cluster_file.empty()) {
    throw usage_error{"predict: --calibration or --cluster, not both"};
  }
  chosen.job.words = others;
  for (const auto& [option, values] : chosen.formula.given) {
    if (values.empty()) continue;
    if (option == "--node-count") {
      chosen.job.node_count = values.front();
    } else if (option == "--gpus-per-node") {
      chosen.job.gpus_per_node = values.front();
    } else {
      throw usage_error{"predict: " + option + " is for --formula"};
    }
    if (!chosen.job.cluster_file.empty()) throw usage_error{"predict: " + option + " or --cluster, not both"};
  }
  return print_prediction(chosen.job);
}

}  // namespace

void add_predict_command(CLI::App& app, int& status)
{
  auto* command = app.add_subcommand("predict", "Say what a run should take");
  const auto chosen = std::make_shared<predict_choice>();
  add_job_options(*command, chosen->job);
  add_formula_options(*command, chosen->formula);
  command->allow_extras();
  command->fallthrough(false);  // what is not known here is the job's
  command->callback([chosen, command, &status] { status = predict(*command, *chosen); });
}

}  // namespace program

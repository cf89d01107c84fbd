#include <memory>

#include "program/fastgpu/commands.hpp"
#include "program/fastgpu/formulas.hpp"
#include "program/usage_error.hpp"

namespace program {

void add_predict_command(CLI::App& app, int& status)
{
  auto* command = app.add_subcommand("predict", "Say what a run should take");
  const auto formula = std::make_shared<formula_choice>();
  add_formula_options(*command, *formula);
  command->callback([formula, &status] {
    if (formula->name.empty()) throw usage_error{"predict: --formula is required: " + formula_names()};
    print_formula(*formula);
    status = 0;
  });
}

}  // namespace program

#pragma once

#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

/// @file
/// The published formulas on the command line: `predict --formula NAME --argument value ...`.

namespace program {

struct formula_choice {
  std::string name;                                       ///< Empty: none was asked for.
  std::map<std::string, std::vector<std::string>> given;  ///< Option to what was given for it; empty: not given.
};

/// Adds --formula and the arguments of all formulas, and to the help which formula takes which.
void add_formula_options(CLI::App& command, formula_choice& to);

/// The formulas' names, for messages: "t_total, capability, ... or load_balance".
[[nodiscard]] std::string formula_names();

/// Prints the value with its unit, and a line on what it counts.
/// @throws usage_error  where there is no such formula, or its arguments are not the ones it takes or out of range.
void print_formula(const formula_choice& chosen);

}  // namespace program

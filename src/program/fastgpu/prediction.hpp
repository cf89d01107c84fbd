#pragma once

#include <string>
#include <vector>

#include "program/fastgpu/formulas.hpp"

/// @file
/// `predict --job NAME`: what one of the programs would take on a cluster that need not be there.

namespace program {

struct prediction_choice {
  std::string job;                 ///< Empty: none was asked for.
  std::vector<std::string> words;  ///< The program's own options.
  std::string cluster_file;        ///< Empty: the cluster is given by the numbers below.
  std::string node_count = "1";
  std::string gpus_per_node = "1";
  std::string calibration;  ///< A file whose costs of runs are taken; empty: none cost anything.
  double speed = 1;         ///< Of a GPU, relative to a worker of what the job is measured on.
  double latency_s = 50e-6;
  double bandwidth = 1.25e9;
  double price = 0;
  double budget_s = 1;      ///< For measuring.
};

/// Measures the job and prints what is predicted.
/// @return              The exit status of the job's program where it could not be measured.
/// @throws usage_error
[[nodiscard]] int print_prediction(const prediction_choice& chosen);

}  // namespace program

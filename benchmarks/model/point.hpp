#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include <fastgpu/model/prediction.hpp>
#include <fastgpu/observe/summary.hpp>

/// @file
/// What t_total found: points, each predicted and measured, and how far apart the two are.

namespace bench {

/// Of formulas 1 and 2: T_total = N M T_task + N T_comm against what devices and links were busy, added up.
struct bill {
  double predicted_s = 0;
  double measured_s = 0;
};

/// One run, or the median of several.
struct point {
  std::string what;                                   ///< For readers.
  std::vector<std::pair<std::string, double>> at{};   ///< What was set: nodes, subtasks, bytes.
  fastgpu::prediction predicted{};
  double measured_s = 0;
  fastgpu::run_terms terms{};                         ///< Measured, of the run that took so long.
  std::optional<bill> occupied{};

  /// (predicted - measured) / measured.
  [[nodiscard]] double error() const { return predicted.wall.count / measured_s - 1; }
};

/// Of the sizes of errors; `bias` is the median with its sign.
struct error_summary {
  std::size_t count = 0;
  double median = 0;
  double p90 = 0;
  double worst = 0;
  double bias = 0;
};
/// @pre  One at least.
[[nodiscard]] error_summary summarize(const std::vector<double>& errors);

/// Kendall's tau-b: how far two rankings agree, -1 to 1; pairs that are alike in one of them count for neither.
/// M. G. Kendall, "The Treatment of Ties in Ranking Problems", Biometrika 33(3), 1945. @pre  As many of both.
[[nodiscard]] double kendall_tau(const std::vector<double>& a, const std::vector<double>& b);

/// The run whose wall-clock time is the middle one. @pre  One at least.
[[nodiscard]] const fastgpu::run_summary& middle_run(std::vector<fastgpu::run_summary>& runs);

/// The middle one. @pre  One at least.
[[nodiscard]] double median_of(std::vector<double> values);

/// Something that t_total promises.
struct promise {
  std::string what;
  double value = 0;
  double bound = 0;
  bool at_least = false;
  [[nodiscard]] bool met() const { return at_least ? value >= bound : value <= bound; }
};

/// What one part of the sweep found.
struct findings {
  std::string part;
  std::vector<point> points{};
  std::vector<promise> promises{};
  std::string note{};
};

void print(const findings& what);
[[nodiscard]] boost::json::object to_json(const findings& what);

}  // namespace bench

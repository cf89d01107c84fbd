#include "model/point.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bench {

error_summary summarize(const std::vector<double>& errors)
{
  std::vector<double> sizes;
  for (const auto e : errors) sizes.push_back(std::abs(e));
  std::sort(sizes.begin(), sizes.end());
  const auto at = static_cast<std::size_t>(std::ceil(0.9 * static_cast<double>(sizes.size()))) - 1;
  return {sizes.size(), median_of(sizes), sizes[at], sizes.back(), median_of(errors)};
}

double median_of(std::vector<double> values)
{
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

const fastgpu::run_summary& middle_run(std::vector<fastgpu::run_summary>& runs)
{
  std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.wall_s < b.wall_s; });
  return runs[(runs.size() - 1) / 2];
}

double kendall_tau(const std::vector<double>& a, const std::vector<double>& b)
{
  double agree = 0;
  double in_a = 0;  // pairs that differ there
  double in_b = 0;
  const auto order = [](double x, double y) { return x < y ? -1.0 : x > y ? 1.0 : 0.0; };
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = i + 1; j < a.size(); ++j) {
      const auto of_a = order(a[i], a[j]);
      const auto of_b = order(b[i], b[j]);
      agree += of_a * of_b;
      in_a += std::abs(of_a);
      in_b += std::abs(of_b);
    }
  }
  return in_a == 0 || in_b == 0 ? 0 : agree / std::sqrt(in_a * in_b);
}

void print(const findings& what)
{
  std::printf("%s: %zu points%s%s\n", what.part.c_str(), what.points.size(), what.note.empty() ? "" : "; ",
              what.note.c_str());
  std::printf("  %-58s %10s %10s %8s\n", "", "predicted", "measured", "error");
  for (const auto& p : what.points) {
    std::printf("  %-58s %8.4f s %8.4f s %6.1f %%\n", p.what.c_str(), p.predicted.wall.count, p.measured_s,
                100 * p.error());
  }
  for (const auto& p : what.promises) {
    std::printf("  %-58s %10.3f %s %.3f  %s\n", p.what.c_str(), p.value, p.at_least ? ">=" : "<=", p.bound,
                p.met() ? "met" : "MISSED");
  }
  std::printf("\n");
}

boost::json::object to_json(const findings& what)
{
  boost::json::array points;
  for (const auto& p : what.points) {
    boost::json::object one{{"what", p.what},
                            {"predicted_s", p.predicted.wall.count},
                            {"low_s", p.predicted.low.count},
                            {"high_s", p.predicted.high.count},
                            {"lower_bound_s", p.predicted.lower_bound.count},
                            {"measured_s", p.measured_s},
                            {"error", p.error()}};
    boost::json::object at;
    for (const auto& [key, value] : p.at) at[key] = value;
    one["at"] = std::move(at);
    const auto& t = p.predicted;
    // By the terms that a run can be seen to have.
    one["predicted"] = {{"start", t.start.count},
                        {"execute", t.execute.count + t.batching.count},
                        {"waiting", t.transfer.count},
                        {"imbalance", t.imbalance.count},
                        {"aggregate", t.aggregate.count}};
    one["measured"] = {{"start", p.terms.start_s},
                       {"execute", p.terms.execute_s},
                       {"waiting", p.terms.waiting_s},
                       {"imbalance", p.terms.imbalance_s},
                       {"aggregate", p.terms.aggregate_s}};
    if (p.occupied) {
      one["occupied_predicted_s"] = p.occupied->predicted_s;
      one["occupied_measured_s"] = p.occupied->measured_s;
    }
    points.push_back(std::move(one));
  }
  boost::json::array promises;
  for (const auto& p : what.promises) {
    promises.push_back({{"what", p.what},
                        {"value", p.value},
                        {"bound", p.bound},
                        {"at_least", p.at_least},
                        {"met", p.met()}});
  }
  return {{"part", what.part}, {"note", what.note}, {"points", std::move(points)}, {"promises", std::move(promises)}};
}

}  // namespace bench

#include <fastgpu/model/formulas.hpp>

#include <cstddef>
#include <string>

#include "model/check.hpp"

namespace fastgpu::inline v0 {
namespace {

using detail::checked_amount;
using detail::checked_count;
using detail::checked_divisor;
using detail::checked_result;

/// Both forms of T_total, once times are known.
occupied_time occupied(double N, double M, double T_task, double T_comm)
{
  const occupied_time time{seconds{N * M * T_task}, seconds{N * T_comm}};
  checked_result("t_total", "T_total", time.total().count);
  return time;
}

std::string entry(std::size_t i, std::size_t j) { return "w_" + std::to_string(i + 1) + "," + std::to_string(j + 1); }

/// Sums of the rows of w.
std::vector<double> row_sums(const std::vector<std::vector<double>>& w)
{
  if (w.empty()) detail::refuse_argument("load_balance", "w", "()", "a row for each node");
  const auto n = w.front().size();
  std::vector<double> sums;
  sums.reserve(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (w[i].empty() || w[i].size() != n) {
      detail::refuse_argument("load_balance", "w_" + std::to_string(i + 1), std::to_string(w[i].size()) + " loads",
                              n == 0 ? "one at least" : std::to_string(n) + ", as in the first row");
    }
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += checked_amount("load_balance", entry(i, j), w[i][j]);
    sums.push_back(checked_result("load_balance", "p_" + std::to_string(i + 1), sum));
  }
  return sums;
}

}  // namespace

occupied_time t_total(const t_total_arguments& of)
{
  const auto N = checked_count("t_total", "N", of.N);
  const auto M = checked_count("t_total", "M", of.M);
  const auto T_task = checked_amount("t_total", "T_task", of.T_task.count);
  const auto T_comm = checked_amount("t_total", "T_comm", of.T_comm.count);
  return occupied(N, M, T_task, T_comm);
}

occupied_time t_total(const t_total_parallel_arguments& of)
{
  const auto N = checked_count("t_total", "N", of.N);
  const auto M = checked_count("t_total", "M", of.M);
  const auto T_original = checked_amount("t_total", "T_original", of.T_original.count);
  const auto P = checked_divisor("t_total", "P", of.P);
  const auto D = checked_amount("t_total", "D", of.D);
  const auto B = checked_divisor("t_total", "B", of.B);
  return occupied(N, M, T_original / P, D / B);
}

capability_figures capability(const capability_arguments& of)
{
  const auto m = checked_count("capability", "m", of.m, 0);
  const auto n = checked_count("capability", "n", of.n);
  const auto C = checked_divisor("capability", "C", of.C);
  const auto T = checked_result("capability", "T", n * C);
  const seconds t{checked_result("capability", "t1", m / T)};
  return {T, t, t};
}

double performance(const performance_arguments& of)
{
  const auto alpha = checked_amount("performance", "alpha", of.alpha);
  const auto U = checked_amount("performance", "U", of.U);
  if (U > 1) detail::refuse_argument("performance", "U", detail::shortest(U), "at most 1, since it is used / capacity");
  const auto S = checked_amount("performance", "S", of.S);
  const auto V = checked_amount("performance", "V", of.V);
  return checked_result("performance", "P", alpha * U * S * V);
}

double printed_waiting_time(const printed_waiting_time_arguments& of)
{
  const auto P_i = checked_divisor("waiting_time", "P_i", of.P_i);
  const auto R = checked_count("waiting_time", "R", of.R);
  const auto N = checked_count("waiting_time", "N", of.N);
  return checked_result("waiting_time", "T_i", 1 / P_i / R / N);
}

std::vector<double> load_balance(const load_balance_arguments& of)
{
  auto p = row_sums(of.w);
  for (auto& p_i : p) p_i /= static_cast<double>(of.w.front().size());
  return p;
}

std::vector<double> load_balance_normalised(const load_balance_arguments& of)
{
  auto share = row_sums(of.w);
  double whole = 0;
  for (const auto sum : share) whole += sum;
  checked_result("load_balance", "sum of w", whole);
  if (whole == 0) detail::refuse_argument("load_balance", "sum of w", "0", "a load above 0, to have a share of");
  for (auto& s : share) s /= whole;
  return share;
}

}  // namespace fastgpu::inline v0

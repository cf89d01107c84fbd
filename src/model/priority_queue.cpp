#include <fastgpu/model/priority_queue.hpp>

#include <cstddef>
#include <string>

#include "model/check.hpp"

namespace fastgpu::inline v0 {
namespace {

using detail::shortest;

double checked_servers(const char* formula, std::int64_t R)
{
  if (R > queue_servers_max) {
    detail::refuse_argument(formula, "R", std::to_string(R), "at most " + std::to_string(queue_servers_max));
  }
  return detail::checked_count(formula, "R", R);
}

/// @pre  0 <= a < R.
double probability_of_waiting(std::int64_t R, double a)
{
  double B = 1;
  for (std::int64_t k = 1; k <= R; ++k) B = a * B / (static_cast<double>(k) + a * B);
  const auto servers = static_cast<double>(R);
  return B / ((servers - a) / servers + a / servers * B);  // 1 - a/R (1 - B), without cancelling where a is close to R
}

}  // namespace

double erlang_c(const erlang_c_arguments& of)
{
  const auto R = checked_servers("erlang_c", of.R);
  const auto a = detail::checked_amount("erlang_c", "a", of.a);
  if (!(a < R)) detail::refuse_argument("erlang_c", "a", shortest(a), "less than R = " + std::to_string(of.R));
  return probability_of_waiting(of.R, a);
}

waiting_times waiting_time(const waiting_time_arguments& of)
{
  const auto* const name = "waiting_time";
  const auto R = checked_servers(name, of.R);
  const auto mu = detail::checked_divisor(name, "mu", of.mu);
  if (of.lambda.empty()) detail::refuse_argument(name, "lambda", "()", "a rate for each class");

  std::vector<double> free;  // 1 - s_i: what classes 1 to i leave of the servers
  free.reserve(of.lambda.size());
  double lambda = 0;
  for (std::size_t i = 0; i < of.lambda.size(); ++i) {
    lambda += detail::checked_amount(name, "lambda_" + std::to_string(i + 1), of.lambda[i]);
    free.push_back((R - lambda / mu) / R);
  }
  const auto a = lambda / mu;
  if (!(a < R)) {
    detail::refuse_argument(name, "lambda / mu", shortest(a),
                            "less than R = " + std::to_string(of.R) + ", or the queue grows for ever");
  }

  waiting_times times{.rho = a / R, .C = probability_of_waiting(of.R, a), .W = {}};
  const auto turn = times.C / mu / R;  // a request's mean wait until the next server is free
  times.W.reserve(free.size());
  double free_before = 1;
  for (std::size_t i = 0; i < free.size(); ++i) {
    times.W.emplace_back(detail::checked_result(name, "W_" + std::to_string(i + 1), turn / free_before / free[i]));
    free_before = free[i];
  }
  times.mean = seconds{detail::checked_result(name, "W", turn / free_before)};
  return times;
}

}  // namespace fastgpu::inline v0

#pragma once

#include <cstdint>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// How long requests wait for one of R equal servers: the M/M/R queue, first come first served or by priority. What
/// the published formula 5 (model/formulas.hpp) means.
///
/// @par Errors   errc::invalid_argument with symbol and value, where an argument is negative, infinite or not a number,
///               or the load is so large that the queue would grow for ever.
/// @par Threads  Pure: callable from any thread.

namespace fastgpu::inline v0 {

/// Servers of a queue at most: what erlang_c() answers for in less than a second.
inline constexpr std::int64_t queue_servers_max = 10'000'000;

struct erlang_c_arguments {
  std::int64_t R = 1;  ///< Servers, from 1 to queue_servers_max.
  double a = 0;        ///< Offered load in Erlang, requests a second times seconds of service: at least 0, below R.
};

/// Erlang C: the probability that a request finds all servers of an M/M/R queue busy, and waits.
///
/// @par Cost  O(R): Erlang B by its recursion over the servers, B_k = a B_{k-1} / (k + a B_{k-1}), whose terms all lie
///            between 0 and 1, so that no R is too large for its powers and factorials; then C = B / (1 - a/R (1 - B)).
/// @see       A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic
///            telephone exchanges", 1917.
[[nodiscard]] FASTGPU_API double erlang_c(const erlang_c_arguments& of);

struct waiting_time_arguments {
  std::int64_t R = 1;            ///< Servers, from 1 to queue_servers_max.
  double mu = 0;                 ///< Requests that one server serves in a second, > 0: 1 / mean time of service.
  std::vector<double> lambda{};  ///< Requests a second of each class, >= 0; the class served first comes first.
};

struct waiting_times {
  double rho = 0;          ///< Utilisation of the servers, sum of lambda / (R mu): below 1.
  double C = 0;            ///< Probability of having to wait, Erlang C.
  std::vector<seconds> W;  ///< Mean time from a request of each class until its service begins.
  seconds mean{};          ///< Over all requests: what each would wait if all were served first come, first served.
};

/// The non-preemptive priority queue M/M/R: a free server takes the oldest request of the highest class that waits, and
/// keeps it until it is served.
///
///     W_i = C / (R mu) / ((1 - s_{i-1}) (1 - s_i)),   s_i = (lambda_1 + ... + lambda_i) / (R mu)
///
/// Counts   Mean wall-clock time in the queue, in the long run, without the time of service.
/// Right    For requests that come independently of each other (Poisson), with times of service that are exponential
///          and of one mean for all classes. With one class it is the M/M/R queue, with R = 1 also the M/M/1 queue.
/// Wrong    For a queue that was just opened or closes soon, for bursts, and where classes differ in their service.
///          Times of service that vary less than exponential ones, as leases of fixed term do, wait less.
/// @see     A. Cobham, "Priority assignment in waiting line problems", Operations Research 2(1), 1954, for several
///          servers too; O. Kella, U. Yechiali, "Waiting times in the non-preemptive priority M/M/c queue", Stochastic
///          Models 1(2), 1985.
[[nodiscard]] FASTGPU_API waiting_times waiting_time(const waiting_time_arguments& of);

}  // namespace fastgpu::inline v0

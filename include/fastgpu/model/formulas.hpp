#pragma once

#include <cstdint>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// The six published formulas, in the notation and with the numbers of the documents that fastgpu is built from. Each
/// says what it counts, and where what is printed is right and where it is not; docs/t_total.md has them side by side.
///
/// @par Errors   An argument that is negative, infinite or not a number, or zero where the formula divides by it, is
///               refused with errc::invalid_argument: formula, symbol, value. So is a result beyond the largest double.
/// @par Threads  Pure: callable from any thread.

namespace fastgpu::inline v0 {

/// Time that GPUs and links are occupied, added up over all that work side by side: what a bill counts.
struct occupied_time {
  seconds gpus{};   ///< GPU-seconds.
  seconds links{};  ///< Link-seconds, one link a node.
  /// T_total. One second of a link counts as much as one of a GPU.
  [[nodiscard]] constexpr seconds total() const { return seconds{gpus.count + links.count}; }
};

struct t_total_arguments {
  std::int64_t N = 1;  ///< Nodes, >= 1.
  std::int64_t M = 1;  ///< GPUs a node, >= 1.
  seconds T_task{};    ///< Busy time of one GPU, all that it computes; the mean where they differ.
  seconds T_comm{};    ///< Time that one node communicates; the mean where they differ.
};

/// T_total = N M T_task + N T_comm.
///
/// Counts   Occupied time: GPU-seconds, and link-seconds on top.
/// Right    As the sum of busy times, for any N, M >= 1, whether or not computing and communicating overlap.
/// Wrong    As a wall-clock time, as which it is printed: N nodes work side by side, so a run without overlap takes
///          about T_task + T_comm, and T_total grows with each GPU that makes a run shorter. As a bill for GPUs that
///          are paid for while their node communicates, too: that is N M (T_task + T_comm).
/// Source   Published formula 1. Its worked example: N = 4, M = 2, T_task = 0.5 s, T_comm = 0.1 s give 4.4 s.
[[nodiscard]] FASTGPU_API occupied_time t_total(const t_total_arguments& of);

struct t_total_parallel_arguments {
  std::int64_t N = 1;    ///< Nodes, >= 1.
  std::int64_t M = 1;    ///< GPUs a node, >= 1.
  seconds T_original{};  ///< Time of one GPU for all its subtasks, one after another.
  double P = 1;          ///< Subtasks at once on a GPU, > 0; a mean need not be whole.
  double D = 0;          ///< Bytes moved by one node.
  double B = 0;          ///< Bytes a second of one node's link, > 0.
};

/// T_total = N M T_original / P + N D / B: formula 1 with T_task = T_original / P and T_comm = D / B.
///
/// Counts   Occupied time, as formula 1.
/// Right    While P subtasks at once take no longer than one alone, that is until the GPU is full, and for transfers so
///          large that latency does not count. The first term is a lower bound beyond that, the second always.
/// Wrong    As a wall-clock time, as formula 1; and for P of more subtasks than the GPU has room for: it has no floor.
/// Source   Published formula 2.
[[nodiscard]] FASTGPU_API occupied_time t_total(const t_total_parallel_arguments& of);

struct capability_arguments {
  std::int64_t m = 0;  ///< Subtasks, >= 0, each of one unit of work: with C in TFLOPS, of 1e12 operations.
  std::int64_t n = 1;  ///< Nodes, >= 1.
  double C = 0;        ///< Units of work a second of one node, > 0: TFLOPS in the document.
};

struct capability_figures {
  double T = 0;  ///< Units of work a second of all nodes, in the unit of C.
  seconds t1{};
  seconds t2{};  ///< The same as t1: the document has one expression under two names.
};

/// T = n C, t1 = m / (n C), t2 = m / (n C).
///
/// Counts   T a rate: the nodes' peaks added up. t1 and t2 wall-clock time of m subtasks at that rate.
/// Right    As a lower bound of the wall-clock time, reached where the work divides evenly among equal nodes, nothing
///          is communicated and all nodes are at their peak throughout. Whole subtasks, one at a time on a node, take
///          ceil(m / n) / C.
/// Wrong    In its worked example: for n = 10, C = 100 TFLOPS, m = 1000 it prints T = 1000 TFLOPS and t2 = 1 s, which
///          are right, and t1 = 10 s, which is an arithmetic slip: 1000 / (10 x 100) = 1, for t1 as for t2. Where a
///          subtask is not one unit of work: m has to be the work then, not a count.
/// Source   Published formula 3.
[[nodiscard]] FASTGPU_API capability_figures capability(const capability_arguments& of);

struct performance_arguments {
  double alpha = 1;  ///< P_virtual / P_physical.
  double U = 0;      ///< Used / capacity, from 0 to 1.
  double S = 0;      ///< Task throughput / GPU resources: subtasks a second for each unit of resources.
  double V = 1;      ///< Virtual / physical performance.
};

/// P = alpha U S V.
///
/// Counts   An index, in the unit of S, by which configurations that were measured in the same way can be ranked.
/// Right    In that P grows with utilisation, throughput and what virtualisation leaves of the performance.
/// Wrong    As a throughput, or as a prediction: its factors are measured in the run that P is to judge. By their
///          definitions alpha and V are one ratio, which then enters squared, and a throughput S that was measured at
///          utilisation U contains U already.
/// Source   Published formula 4. Its worked example: 1.1 x 0.8 x 0.2 x 0.9 = 0.1584.
[[nodiscard]] FASTGPU_API double performance(const performance_arguments& of);

struct printed_waiting_time_arguments {
  double P_i = 1;      ///< Priority of class i, > 0: larger is served sooner.
  std::int64_t R = 1;  ///< Resources, >= 1.
  std::int64_t N = 1;  ///< Requests, >= 1.
};

/// T_i = (1 / P_i) (1 / R) (1 / N), kept as it is printed.
///
/// Counts   Nothing that could be measured: a number without a unit.
/// Right    In its direction for P_i and R: higher classes and more resources wait less.
/// Wrong    As a waiting time. It falls with the number of requests N, and it knows neither how often requests come nor
///          how long they stay. waiting_time() of model/priority_queue.hpp is what is meant.
/// Source   Published formula 5. Its worked example: 1/5 x 1/5 x 1/10 = 0.004.
[[nodiscard]] FASTGPU_API double printed_waiting_time(const printed_waiting_time_arguments& of);

struct load_balance_arguments {
  /// w[i][j], >= 0: the load that j puts on node i; in each row the same number of them, n >= 1.
  std::vector<std::vector<double>> w{};
};

/// p_i = (1 / n) sum_j w_ij, with n the number of terms in the sum.
///
/// Counts   The mean load of each node, in the unit of w.
/// Right    As a mean of loads that are measured in one unit. p_i says which node is the fullest.
/// Wrong    As a probability or a share: the p_i do not add up to 1, unless the loads add up to n. Nor is it balance:
///          equal p_i on nodes of unequal speed are not done at one time.
/// Source   Published formula 6.
[[nodiscard]] FASTGPU_API std::vector<double> load_balance(const load_balance_arguments& of);

/// The normalised form: p_i / sum_k p_k, each node's share of the load; they add up to 1, whatever n is taken for.
///
/// @throws error  errc::invalid_argument also where all of w is 0.
[[nodiscard]] FASTGPU_API std::vector<double> load_balance_normalised(const load_balance_arguments& of);

}  // namespace fastgpu::inline v0

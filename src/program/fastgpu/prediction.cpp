#include "program/fastgpu/prediction.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <utility>

#include <fastgpu/error.hpp>
#include <fastgpu/model/prediction.hpp>

#include "program/cluster_file.hpp"
#include "program/fastgpu/example_jobs.hpp"
#include "program/usage_error.hpp"

namespace program {
namespace {

using fastgpu::cluster_model;
using fastgpu::job_profile;
using fastgpu::prediction;

constexpr double pays = 0.1;  // what twice the nodes must save at least

std::uint32_t whole(const std::string& text, const char* option)
{
  std::uint32_t n = 0;
  const auto* const end = text.data() + text.size();
  const auto [next, problem] = std::from_chars(text.data(), end, n);
  if (problem != std::errc{} || next != end || n == 0) {
    throw usage_error{std::string{option} + ": '" + text + "': expected a whole number, at least 1"};
  }
  return n;
}

described_cluster cluster_of(const prediction_choice& chosen)
{
  if (!chosen.cluster_file.empty()) return read_cluster(chosen.cluster_file);
  described_cluster c;
  fastgpu::node_model node{.name = "node", .count = whole(chosen.node_count, "--node-count")};
  node.latency = fastgpu::seconds{chosen.latency_s};
  node.bytes_per_second = chosen.bandwidth;
  node.price_per_hour = chosen.price;
  node.devices.push_back(
      {.name = "gpu", .count = whole(chosen.gpus_per_node, "--gpus-per-node"), .speed = chosen.speed});
  if (!chosen.calibration.empty()) c.model.costs = read_calibrated_costs(chosen.calibration);
  c.model.nodes.push_back(std::move(node));
  return c;
}

/// The same cluster with this share of each kind of node, one at least.
cluster_model part_of(const cluster_model& all, double share)
{
  auto part = all;
  for (auto& n : part.nodes) n.count = std::max(1u, static_cast<std::uint32_t>(std::lround(n.count * share)));
  return part;
}

std::uint32_t nodes_in(const cluster_model& c)
{
  std::uint32_t n = 0;
  for (const auto& node : c.nodes) n += node.count;
  return n;
}

void print_job(const prediction_choice& chosen, const job_profile& job)
{
  auto sorted = job.costs;
  std::sort(sorted.begin(), sorted.end(), [](auto a, auto b) { return a.count < b.count; });
  double sum = 0;
  for (const auto c : sorted) sum += c.count;
  std::printf("job %s: %llu subtasks of %.3g s on average (%.3g to %.3g), from %zu that were run here\n",
              chosen.job.c_str(), static_cast<unsigned long long>(job.subtasks),
              sum / static_cast<double>(sorted.size()), sorted.front().count, sorted.back().count, sorted.size());
}

void print_terms(const prediction& p)
{
  std::printf("wall-clock time %.4g s, most likely %.4g to %.4g s\n", p.wall.count, p.low.count, p.high.count);
  const std::pair<const char*, fastgpu::seconds> terms[] = {
      {"start", p.start},       {"execute", p.execute},     {"batching", p.batching},
      {"transfer", p.transfer}, {"imbalance", p.imbalance}, {"aggregate", p.aggregate}};
  for (const auto& [name, time] : terms) {
    std::printf("  %-10s %10.4g s  %5.1f %%\n", name, time.count, 100 * time.count / p.wall.count);
  }
  std::printf("no schedule takes less than %.4g s, by its %s\n", p.lower_bound.count, to_string(p.bound));
}

/// From one of each kind of node on, in doublings, to all.
/// @param whole  The prediction for all of them.
void print_curve(const job_profile& job, const described_cluster& on, const prediction& whole)
{
  std::printf("%8s  %12s  %9s  %10s  %13s  %s%s\n", "nodes", "wall s", "speed-up", "efficiency", "device-hours",
              "price", on.currency.empty() ? "" : (" " + on.currency).c_str());
  const auto all = nodes_in(on.model);
  std::uint32_t most = 1;
  for (const auto& n : on.model.nodes) most = std::max(most, n.count);
  double first_s = 0;
  double before_s = 0;
  std::uint32_t first_nodes = 0;
  std::uint32_t before_nodes = 0;
  std::uint32_t enough = 0;
  for (std::uint32_t n = 1;; n = n > most / 2 ? most : 2 * n) {
    const auto part = part_of(on.model, static_cast<double>(n) / most);
    const auto nodes = nodes_in(part);
    const auto p = n == most ? whole : fastgpu::predict(job, part);
    if (first_s == 0) {
      first_s = p.wall.count;
      first_nodes = nodes;
    }
    const auto speed_up = first_s / p.wall.count;
    std::printf("%8u  %12.4g  %9.2f  %8.1f %%  %13.4g  %.4g\n", nodes, p.wall.count, speed_up,
                100 * speed_up * first_nodes / nodes, p.device_seconds.count / 3600, p.price);
    if (before_s > 0 && enough == 0 && p.wall.count > before_s * (1 - pays)) enough = before_nodes;
    before_s = p.wall.count;
    before_nodes = nodes;
    if (n == most) break;
  }
  if (enough != 0) {
    std::printf("beyond %u nodes a doubling saves less than %.0f %%\n", enough, 100 * pays);
  } else if (all > 1) {
    std::printf("up to all %u nodes each doubling saves %.0f %% or more\n", all, 100 * pays);
  }
}

}  // namespace

int print_prediction(const prediction_choice& chosen)
{
  if (!is_job(chosen.job)) throw usage_error{"--job '" + chosen.job + "': expected " + job_names()};
  const auto on = cluster_of(chosen);  // before anything is measured

  job_probe probe{.how = {.budget = fastgpu::seconds{chosen.budget_s}}};
  const auto status = probe_job(chosen.job, chosen.words, probe);
  if (probe.profiles.empty()) return status;
  const auto& job = probe.profiles.front();

  print_job(chosen, job);
  const auto whole = fastgpu::predict(job, on.model);
  print_terms(whole);
  print_curve(job, on, whole);
  return 0;
}

}  // namespace program

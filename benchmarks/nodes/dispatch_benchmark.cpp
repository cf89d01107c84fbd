#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nodes/talk.hpp"
#include "support/instructions.hpp"
#include "support/report.hpp"

/// @file
/// Subtasks that are granted one by one, to another process: a message out and one back for each, 128 on their way at a
/// time, over TLS on loopback. fastgpu's session, with a completion for each; its whole node, which runs them, tells of as
/// many at a time as it has aggregated, and is acknowledged; gRPC's unary calls, by callbacks and by completion queues;
/// Asio's streams with as many bytes as fastgpu's session.
///
/// Bounds  ten times gRPC's rate; 5,000 instructions a subtask, client and server together.

namespace {

constexpr std::uint32_t in_flight = 128;

bench::estimate exactly(double x) { return {x, x, x}; }

void dispatch(benchmark::State& state)
{
  const bench::credentials_folder credentials;
  std::vector<std::unique_ptr<bench::talk>> talks;
  for (const auto* kind : {"fastgpu", "fastgpu_node", "asio_tls", "asio_tcp", "grpc_tls", "grpc_queue_tls", "grpc_tcp",
                           "grpc_queue_tcp"}) {
    if (bench::peer_named(kind) == nullptr) continue;
    talks.push_back(std::make_unique<bench::talk>(kind, credentials, in_flight));
  }
  bench::paired contest;
  for (const auto& t : talks) t->join(contest, t->count_for(bench::sized(0.15, 0.001)));
  contest.run(15);

  const auto has = [&](const std::string& kind) { return bench::peer_named(kind) != nullptr; };
  const auto rate = [&](std::size_t who) {
    return contest.each_round([who](const std::vector<double>& s) { return 1 / s[who]; });
  };
  std::vector<bench::figure> figures;
  for (std::size_t i = 0; i < contest.size(); ++i) {
    figures.push_back({.what = contest.name(i), .key = "rate/" + contest.name(i), .value = rate(i), .unit = "/s"});
  }
  const auto over = [&](const std::string& label, const std::vector<std::string>& kinds, std::optional<double> bound) {
    std::optional<std::size_t> best;
    for (const auto& kind : kinds) {
      if (!has(kind)) continue;
      const auto who = contest.find(kind);
      if (!best || contest.median_seconds(who) < contest.median_seconds(*best)) best = who;
    }
    if (!best) return;
    for (std::size_t mine = 0; mine < 2; ++mine) {
      figures.push_back({.what = contest.name(mine) + " over " + contest.name(*best),
                         .key = "rate_over/" + contest.name(mine) + "/" + label,
                         .value = contest.each_round(
                             [&](const std::vector<double>& s) { return s[*best] / s[mine]; }),
                         .bound = mine == 0 ? bound : std::nullopt,
                         .kind = bench::bound_kind::at_least});
    }
  };
  over("grpc_tls", {"grpc_tls", "grpc_queue_tls"}, 10);
  over("grpc_tcp", {"grpc_tcp", "grpc_queue_tcp"}, 10);
  over("asio_tls", {"asio_tls"}, {});
  over("asio_tcp", {"asio_tcp"}, {});
  for (const auto& t : talks) {
    figures.push_back({.what = "CPU a subtask, client, " + t->kind(),
                       .key = "client_us/" + t->kind(),
                       .value = exactly(1e6 * t->client_cpu_seconds()),
                       .unit = "us"});
    figures.push_back({.what = "CPU a subtask, server, " + t->kind(),
                       .key = "server_us/" + t->kind(),
                       .value = exactly(1e6 * t->server_cpu_seconds()),
                       .unit = "us"});
  }
  bench::report(state, contest, std::move(figures));
}

/// Of both processes, in user space.
std::optional<double> instructions_of(const std::string& kind, std::uint64_t few, std::uint64_t many)
{
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "fastgpu_benchmark_peer";
  const auto command = std::string{"'"}.append(program.string()).append("' run ").append(kind).append(" ");
  return bench::instructions_slope(command, std::string{" "}.append(std::to_string(in_flight)), few, many);
}

void instructions(benchmark::State& state)
{
  std::vector<bench::figure> figures;
  for (const auto* kind : {"fastgpu", "fastgpu_node", "asio_tls", "asio_tcp", "grpc_tls", "grpc_tcp"}) {
    if (bench::peer_named(kind) == nullptr) continue;
    const bool slow = std::string{kind}.rfind("grpc", 0) == 0;
    const auto few = bench::sized<std::uint64_t>(slow ? 2'000 : 20'000, 200);
    const auto found = instructions_of(kind, few, bench::sized<std::uint64_t>(slow ? 6'000 : 100'000, 400));
    if (!found) continue;
    figures.push_back({.what = std::string{"instructions, "} + kind,
                       .key = std::string{"instructions/"} + kind,
                       .value = exactly(*found)});
    if (std::string{kind}.rfind("fastgpu", 0) == 0) figures.back().bound = 5000;
  }
  if (figures.empty()) return state.SkipWithError("needs valgrind");
  bench::report(state, figures);
}

const bench::registration all{[] {
  bench::add("nodes/dispatch", dispatch);
  bench::add("nodes/dispatch_instructions", instructions);
}};

}  // namespace

#include <memory>
#include <string>
#include <vector>

#include "nodes/talk.hpp"
#include "support/report.hpp"

/// @file
/// Payloads of 64 MiB to another process, over TLS on loopback, each told of when it is there whole: fastgpu's session,
/// which cuts it into pieces between which heartbeats pass, and one plain TLS stream of Asio's into a buffer that is
/// there already.
///
/// Bound  1.5 times the rate of the plain TLS stream.

namespace {

void bulk(benchmark::State& state)
{
  const bench::credentials_folder credentials;
  std::vector<std::unique_ptr<bench::talk>> talks;
  for (const auto* kind : {"fastgpu_bulk", "asio_tls_bulk", "asio_tls_waiting_bulk", "asio_tcp_bulk"}) {
    talks.push_back(std::make_unique<bench::talk>(kind, credentials, 1));
  }
  bench::paired contest;
  for (const auto& t : talks) t->join(contest, bench::sized<std::uint64_t>(4, 1));
  contest.run(15);

  constexpr double gib = static_cast<double>(bench::bulk_bytes) / (1 << 30);
  std::vector<bench::figure> figures;
  for (std::size_t i = 0; i < contest.size(); ++i) {
    figures.push_back({.what = contest.name(i),
                       .key = "gib_per_s/" + contest.name(i),
                       .value = contest.each_round([&](const std::vector<double>& s) { return gib / s[i]; }),
                       .unit = "GiB/s"});
  }
  figures.push_back({.what = "fastgpu_bulk over asio_tls_bulk",
                     .key = "rate_over/asio_tls_bulk",
                     .value = contest.ratio(1, 0),
                     .bound = 1.5,
                     .kind = bench::bound_kind::at_least});
  for (const auto& t : talks) {
    const auto client = t->client_cpu_seconds() / gib;
    const auto server = t->server_cpu_seconds() / gib;
    figures.push_back({.what = "CPU a GiB, client, " + t->kind(),
                       .key = "client_s/" + t->kind(),
                       .value = {client, client, client},
                       .unit = "s"});
    figures.push_back({.what = "CPU a GiB, server, " + t->kind(),
                       .key = "server_s/" + t->kind(),
                       .value = {server, server, server},
                       .unit = "s"});
  }
  bench::report(state, contest, std::move(figures));
}

const bench::registration all{[] { bench::add("nodes/bulk", bulk); }};

}  // namespace

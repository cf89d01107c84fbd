#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "cluster/cluster_core.hpp"
#include "cluster/node_directory.hpp"
#include "nodes/kernels.hpp"
#include "nodes/peer_process.hpp"
#include "support/report.hpp"

/// @file
/// What four nodes and their coordinator say to each other over one job, cut into a thousand, a hundred thousand and ten
/// million subtasks: ranges are granted and partials come back, so that it does not depend on it.
///
/// Bound  ten million subtasks take at most three times the messages of a thousand.

namespace {

using fastgpu::detail::session;

session::counters traffic_of(const fastgpu::cluster& cluster)
{
  session::counters sum;
  auto& nodes = cluster.core()->directory();
  nodes.net().run([&] {
    for (const auto& link : nodes.links()) {
      const auto one = link->traffic();
      sum.messages_sent += one.messages_sent;
      sum.messages_received += one.messages_received;
      sum.bytes_sent += one.bytes_sent;
      sum.bytes_received += one.bytes_received;
    }
  });
  return sum;
}

/// Of the runs of one number of subtasks.
struct tally {
  std::vector<double> sent, received, bytes, steals, seals, seconds;
};

void messages(benchmark::State& state)
{
  const bench::credentials_folder credentials;
  const auto me = fastgpu::credentials::load(credentials.path() + "/user");
  std::vector<std::unique_ptr<bench::server_process>> nodes;
  fastgpu::cluster cluster{fastgpu::cluster_options{.devices = "none"}};
  for (const auto* name : {"n1", "n2", "n3", "n4"}) {
    nodes.push_back(std::make_unique<bench::server_process>("fastgpu_node", credentials, name));
    cluster.add_node(nodes.back()->address(), me);
  }

  const auto items = bench::sized<std::int64_t>(1'000'000'000, 10'000'000);
  const auto rounds = bench::effort_of_all().rounds > 0 ? bench::effort_of_all().rounds : bench::sized(9, 1);
  const std::vector<std::int64_t> counts{1'000, 100'000, 10'000'000};
  std::vector<tally> of_counts(counts.size());
  std::uint64_t right = 0;
  for (int round = -1; round < rounds; ++round) {  // the first is to know the speeds by
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const auto before = traffic_of(cluster);
      const fastgpu::space<1> over{items, fastgpu::by_size{items / counts[i]}};
      const auto value = fastgpu::reduce(cluster, over, bench::hash{}, fastgpu::sum<std::uint64_t>{});
      const auto after = traffic_of(cluster);
      const auto& did = value.summary();
      if (static_cast<std::int64_t>(did.subtasks) != counts[i] || (right != 0 && value.get() != right)) return bench::fail(state, "a wrong answer");
      right = value.get();
      if (round < 0) continue;
      auto& t = of_counts[i];
      t.sent.push_back(static_cast<double>(after.messages_sent - before.messages_sent));
      t.received.push_back(static_cast<double>(after.messages_received - before.messages_received));
      t.bytes.push_back(static_cast<double>(after.bytes_sent + after.bytes_received - before.bytes_sent -
                                            before.bytes_received));
      t.steals.push_back(static_cast<double>(did.steals));
      t.seals.push_back(static_cast<double>(did.seals));
      t.seconds.push_back(did.wall_s);
    }
  }

  std::vector<bench::figure> figures;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto n = std::to_string(counts[i]);
    const auto& t = of_counts[i];
    const auto add = [&](const char* what, const std::vector<double>& values, const char* unit = "") {
      figures.push_back({.what = n + " subtasks: " + what,
                         .key = std::string{what} + "/" + n,
                         .value = bench::median_of(values),
                         .unit = unit});
    };
    add("to nodes", t.sent);
    add("from nodes", t.received);
    add("bytes", t.bytes);
    add("steals", t.steals);
    add("partials", t.seals);
    add("wall", t.seconds, "s");
  }
  const auto all_of = [&](std::size_t i) {
    std::vector<double> sums;
    for (std::size_t r = 0; r < of_counts[i].sent.size(); ++r) {
      sums.push_back(of_counts[i].sent[r] + of_counts[i].received[r]);
    }
    return bench::median_of(sums).median;
  };
  const auto ratio = all_of(2) / all_of(0);
  figures.push_back({.what = "messages, 10^7 over 10^3",
                     .key = "messages_ratio",
                     .value = {ratio, ratio, ratio},
                     .bound = 3});
  bench::report(state, std::move(figures));
}

const bench::registration all{[] { bench::add("nodes/messages", messages); }};

}  // namespace

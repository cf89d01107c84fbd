#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "aggregate/partial.hpp"
#include "device/host_device.hpp"
#include "execute/coordinator.hpp"
#include "execute/remote_participant.hpp"
#include "net/session.hpp"
#include "node/job_description.hpp"
#include "node/sealed_values.hpp"
#include "nodes/kernels.hpp"
#include "nodes/peer_process.hpp"
#include "support/report.hpp"

/// @file
/// What a coordinator takes for what it hears: its state machines with their sessions, without sockets and TLS. And what
/// nodes cost that are there and have nothing to do, with both.

namespace {

using namespace fastgpu::detail;
using fastgpu::seconds;
using std::chrono::steady_clock;

class still_world final : public environment {
 public:
  seconds now() override { return seconds{1.0}; }
  std::uint64_t random() override { return ++random_; }

 private:
  std::uint64_t random_ = 0;
};

/// One end of a session whose bytes are handed over by pass().
class end_of_session final : public session_events {
 public:
  end_of_session(environment& world, session_self self, peer_identity peer)
      : talk{world, *this, std::move(self), std::move(peer)}
  {
  }

  std::function<void(message&, payload&)> heard;
  session talk;
  std::vector<std::byte> out;

 private:
  void write(std::vector<std::byte> bytes) override { out.insert(out.end(), bytes.begin(), bytes.end()); }
  void opened() override {}
  void received(message&& what, payload&& bytes) override
  {
    if (heard) heard(what, bytes);
  }
  void suspected(bool) override {}
  void closed(const fastgpu::failure&) override {}
};

/// @return  Seconds that the receiver took.
double pass(end_of_session& from, end_of_session& to)
{
  const auto bytes = std::exchange(from.out, {});
  if (bytes.empty()) return 0;
  from.talk.written(bytes.size());
  const auto begin = steady_clock::now();
  to.talk.received(bytes);
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

struct values final : arrived_values {
  arrived_partial what;
};

using counting_job = fastgpu::job<std::uint64_t, 1>;

/// A node of one worker, as its coordinator sees it, and what it would answer.
class node final : private remote_host {
 public:
  node(environment& world, coordinator& boss, const counting_job& job)
      : here{world, {"desk", "0", "g++", false, role::submit}, {"n", role::node}},
        there{world, {"n", "0", "g++", true, role::none}, {"desk", role::submit}},
        machine{world, boss, boss.add(), *this, {}},
        job_{job}
  {
    here.heard = [this](message& what, payload& bytes) { machine.received(what, bytes); };
    there.talk.start();
    here.talk.start();
    pass(here, there);
    pass(there, here);
    machine.session_opened(1e-6, 0);
    pass(here, there);
    there.talk.send(job_opened{machine.job(), 1, 1e6, {}, {}});
    pass(there, here);
    there.heard = [this](message& what, payload&) { asked.push_back(std::move(what)); };
  }

  /// What of the coordinator's messages is an M; the others are forgotten.
  template <class M>
  std::vector<M> hear()
  {
    while (!here.out.empty()) pass(here, there);  // what waited for the first goes with the second
    std::vector<M> found;
    for (auto& what : std::exchange(asked, {})) {
      if (auto* m = std::get_if<M>(&what)) found.push_back(std::move(*m));
    }
    return found;
  }

  end_of_session here;
  end_of_session there;
  remote_participant machine;
  std::vector<message> asked;

 private:
  void send(message what, std::shared_ptr<const payload> bytes) override
  {
    here.talk.send(std::move(what), std::move(bytes));
  }
  std::uint64_t queued_bytes() const override { return 0; }
  job_number next_job() override { return 1; }
  open_job describe() override
  {
    open_job m;
    m.what = describe_job(job_.data(), fold_kind::single);
    return m;
  }
  packed_piece broadcast(std::uint32_t) override { return {}; }
  std::vector<packed_piece> pieces(fastgpu::interval) override { return {}; }
  fastgpu::result<std::unique_ptr<arrived_values>> unpack(const interval_set& fold_set, payload&& bytes) override
  {
    auto arrived = unpack_partial(job_.data(), fold_kind::single, heap(), fold_set, std::move(bytes));
    if (!arrived.has_value()) return arrived.error();
    auto made = std::make_unique<values>();
    made->what = std::move(arrived).value();
    return std::unique_ptr<arrived_values>{std::move(made)};
  }
  void cut(const fastgpu::failure& why) override { throw fastgpu::error{why}; }

  counting_job job_;
};

class owner final : public coordinator_owner {
 public:
  explicit owner(const counting_job& job) : total_{job.data(), fold_kind::single} {}

 private:
  void commit(arrived_values& what, const interval_set&) override
  {
    total_.absorb(std::move(*static_cast<values&>(what).what.values));
  }
  void distrust(fastgpu::device_id, const fastgpu::failure& why) override { throw fastgpu::error{why}; }
  void decided(const std::optional<fastgpu::failure>&) override {}

  partial total_;
};

/// A node has everything, and another robs it of one subtask after the other: what the victim gives back is granted to
/// the thief, whose partial is committed and acknowledged, whereupon the victim is asked again. The time is that of the
/// coordinator's side alone, from the bytes that come to those that go.
void ranges_and_batches(benchmark::State& state)
{
  const auto chunks = bench::sized<std::uint64_t>(101, 3);
  const auto in_chunk = bench::sized<std::uint64_t>(1000, 10);
  const auto count = 4 * chunks * in_chunk;
  const auto job = fastgpu::make_job(fastgpu::space{count, fastgpu::by_size{1}}, bench::one{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  still_world world;
  owner books{job};
  coordinator boss{world, books, static_cast<std::uint32_t>(count), {}};
  node victim{world, boss, job};
  boss.start();
  (void)victim.hear<grant_ranges>();
  node thief{world, boss, job};
  const auto device = open_host_session({}, {&job.data(), fold_kind::single});

  std::vector<double> range_us;
  std::vector<double> batch_us;
  std::uint64_t granted = 0;
  std::uint64_t seals = 0;
  auto end = static_cast<std::uint32_t>(count);
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    double range_s = 0;
    double batch_s = 0;
    for (std::uint64_t i = 0; i < in_chunk; ++i) {
      for (const auto& m : victim.hear<take_back>()) {
        --end;
        victim.there.talk.send(taken_back{m.job, m.request, {{end, end + 1}}});
        range_s += pass(victim.there, victim.here);
      }
      for (const auto& m : thief.hear<grant_ranges>()) {
        ++granted;
        (void)device->launch(m.ranges.at(0));
        auto sealed = device->seal();
        auto bytes = std::make_shared<const payload>(pack_partial(job.data(), *sealed.values));
        job_sealed done;
        done.job = m.job;
        done.seal = ++seals;
        done.counter = 1;
        done.dry = true;
        done.fold_set = m.ranges;
        thief.there.talk.send(std::move(done), std::move(bytes));
        batch_s += pass(thief.there, thief.here);
      }
    }
    range_us.push_back(1e6 * range_s / static_cast<double>(in_chunk));
    batch_us.push_back(1e6 * batch_s / static_cast<double>(in_chunk));
  }
  if (granted != chunks * in_chunk || boss.count().seals != granted) {
    return bench::fail(state, std::to_string(granted) + " ranges were granted, " + std::to_string(boss.count().seals) +
                                  " batches committed");
  }
  bench::report(state, {{.what = "range that moves and is granted",
                         .key = "range_us",
                         .value = bench::median_of(range_us),
                         .unit = "us"},
                        {.what = "batch that is committed",
                         .key = "batch_us",
                         .value = bench::median_of(batch_us),
                         .unit = "us"}});
}

/// Sessions of one cluster with a process that only answers: all heartbeats, no work.
void idle_nodes(benchmark::State& state)
{
  const bench::credentials_folder credentials;
  const auto me = fastgpu::credentials::load(credentials.path() + "/user");
  const bench::server_process server{"fastgpu", credentials};
  fastgpu::cluster cluster{fastgpu::cluster_options{.devices = "none"}};
  const auto span_s = bench::sized(10.0, 0.1);

  struct look {
    double nodes = 0;
    double cpu_s = 0;  // a second
    double bytes = 0;
  };
  std::vector<look> looks;
  std::vector<bench::figure> figures;
  double nodes = 0;
  for (const int until : bench::sized(std::vector<int>{1, 50, 100, 200}, std::vector<int>{1, 3})) {
    for (; nodes < until; ++nodes) cluster.add_node(server.address(), me);
    std::this_thread::sleep_for(std::chrono::duration<double>{span_s / 10});
    const auto before = bench::cpu_seconds_here();
    std::this_thread::sleep_for(std::chrono::duration<double>{span_s});
    looks.push_back({nodes, (bench::cpu_seconds_here() - before) / span_s, bench::resident_bytes_here()});
    const auto share = looks.back().cpu_s;
    figures.push_back({.what = "CPU with " + std::to_string(until) + " nodes, of a core",
                       .key = "cpu/" + std::to_string(until),
                       .value = {100 * share, 100 * share, 100 * share},
                       .unit = "%"});
  }
  const auto devices = cluster.devices().size();
  if (static_cast<double>(devices) != nodes) {
    return bench::fail(state, "only " + std::to_string(devices) + " nodes are there");
  }
  const auto slope = [&](double look::*what) {
    const auto x = (looks.back().*what - looks.front().*what) / (looks.back().nodes - looks.front().nodes);
    return bench::estimate{x, x, x};
  };
  auto cpu = slope(&look::cpu_s);
  auto bytes = slope(&look::bytes);
  for (auto* x : {&cpu.median, &cpu.low, &cpu.high}) *x *= 1e6;
  for (auto* x : {&bytes.median, &bytes.low, &bytes.high}) *x /= 1024;
  figures.push_back({.what = "CPU a node and second", .key = "cpu_us", .value = cpu, .unit = "us"});
  figures.push_back({.what = "memory a node", .key = "kib", .value = bytes, .unit = "KiB"});
  bench::report(state, std::move(figures), span_s);
}

const bench::registration all{[] {
  bench::add("nodes/coordinator", ranges_and_batches);
  bench::add("nodes/idle", idle_nodes);
}};

}  // namespace

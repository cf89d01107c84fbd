#include <fastgpu/model/calibrate.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/assign/placement.hpp>
#include <fastgpu/execute/execute.hpp>
#include <fastgpu/version.hpp>

#include "cluster/cluster_core.hpp"
#include "model/utc.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr int repetitions = 5;
constexpr std::uint32_t rounds = 64;   // of the hash, where an index is to take some 100 ns
constexpr std::uint32_t indices = 64;  // a subtask, at that
constexpr double noise = 0.05;  // of a subtask's time; a batch that costs less is not told from one that costs nothing
constexpr std::uint32_t elements_of_slice = 1 << 17;
constexpr double link_bytes_max = 128 << 20;

double median(std::vector<double> of)
{
  const auto middle = of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2);
  std::nth_element(of.begin(), middle, of.end());
  return *middle;
}

/// Devices that are alike.
struct kind_of_device {
  device_info first;
  std::uint32_t count = 0;
};

bool alike(const device_info& a, const device_info& b)
{
  return a.name == b.name && a.backend == b.backend && a.model == b.model && a.numeric_class == b.numeric_class &&
         a.workers == b.workers;
}

std::vector<kind_of_device> kinds_of(const std::vector<device_info>& devices)
{
  std::vector<kind_of_device> kinds;
  for (const auto& d : devices) {
    const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return alike(k.first, d); });
    if (known == kinds.end()) {
      kinds.push_back({d, 1});
    } else {
      ++known->count;
    }
  }
  return kinds;
}

/// Runs jobs on some devices alone.
class stopwatch {
 public:
  stopwatch(const ref<cluster_core>& on, std::vector<device_info> devices) : on_{on}, devices_{std::move(devices)} {}

  [[nodiscard]] std::uint32_t workers() const
  {
    std::uint32_t n = 0;
    for (const auto& d : devices_) n += d.workers;
    return n;
  }

  run_summary run(const ref<const job_storage>& job, const batching& batches = {}) const
  {
    const auto& shape = job->data.shape;
    placement where;
    where.shape = digest(shape);
    where.subtasks = shape.count;
    for (std::size_t d = 0; d < devices_.size(); ++d) {
      where.entries.push_back({devices_[d].id, devices_[d].name, {}, 0});
      const auto part = [&](std::size_t n) { return static_cast<std::uint32_t>(n * shape.count / devices_.size()); };
      if (part(d) < part(d + 1)) where.entries.back().ranges.push_back({part(d), part(d + 1)});
    }
    const auto run = start_run(on_, job, &where, {.batches = batches});
    run->wait();
    if (run->summary().outcome != outcome_kind::done) throw error{run->summary().why};
    return run->summary();
  }

  /// The middle one of some runs, by `what`.
  template <class What>
  double middle(const ref<const job_storage>& job, What what, const batching& batches = {}) const
  {
    std::vector<double> times;
    for (int i = 0; i < repetitions; ++i) times.push_back(what(run(job, batches)));
    return median(std::move(times));
  }
  double wall_s(const ref<const job_storage>& job, const batching& batches = {}) const
  {
    return middle(
        job, [](const run_summary& s) { return s.wall_s; }, batches);
  }

 private:
  ref<cluster_core> on_;
  std::vector<device_info> devices_;
};

class calibrator {
 public:
  calibrator(const ref<cluster_core>& on, const calibration_jobs& jobs, const calibrate_options& options)
      : on_{on}, jobs_{jobs}, options_{options}
  {
  }

  cluster_model measure()
  {
    std::vector<device_info> here;
    std::vector<std::vector<device_info>> nodes;
    for (auto& d : on_->describe_all()) {
      if (d.node == node_id{}) {
        here.push_back(std::move(d));
      } else {
        if (nodes.empty() || nodes.back().front().node != d.node) nodes.emplace_back();
        nodes.back().push_back(std::move(d));
      }
    }
    if (here.empty() && nodes.empty()) throw error{errc::no_usable_device, "calibrate: there is no device"};
    cluster_model all;
    if (!here.empty()) {
      add_local(all, here);
      measure_runs(all.costs, here);
    }
    for (const auto& node : nodes) add_node(all, node);
    if (nodes.size() > 1) all.uplink_bytes_per_second = uplink(nodes);
    return all;
  }

 private:
  void say(const std::string& what) const
  {
    if (options_.progress != nullptr) options_.progress(options_.context, what.c_str());
  }

  /// How many subtasks of this kind take about as long as a run that is timed.
  std::uint32_t enough(const stopwatch& timer, std::uint32_t hash_rounds, const batching& batches) const
  {
    constexpr std::uint32_t most = 1u << 24;
    auto n = std::max(timer.workers(), 1u);
    while (n < most) {
      const auto s = timer.run(jobs_.hash(n, hash_rounds == 0 ? 1 : indices, hash_rounds), batches).wall_s;
      if (s >= options_.each.count / 2) break;
      const auto more = std::clamp(options_.each.count / std::max(s, 1e-6), 2.0, 16.0);
      n = static_cast<std::uint32_t>(std::min<double>(n * more, most));
    }
    return n;
  }

  /// Subtasks of the standard size a second.
  double rate(const stopwatch& timer) const
  {
    const auto n = enough(timer, rounds, {});
    return n / timer.wall_s(jobs_.hash(n, indices, rounds));
  }

  /// What a batch takes beyond its subtasks: subtasks with nothing in them one by one, and many at a time.
  seconds batch_cost(const stopwatch& timer) const
  {
    constexpr std::uint32_t many = 64;
    const auto n = enough(timer, 0, batching::fixed(1));
    const auto job = jobs_.hash(n, 1, 0);
    const auto one_s = timer.wall_s(job, batching::fixed(1));
    const auto many_s = timer.wall_s(job, batching::fixed(many));
    const auto cost = (one_s - many_s) * many / (many - 1) * timer.workers() / n;
    return seconds{cost < noise * one_s * timer.workers() / n ? 0 : cost};
  }

  /// Bytes a second that a kernel gets of an array of the process's.
  double read_rate(const stopwatch& timer) const
  {
    constexpr std::size_t elements = (256 << 20) / sizeof(std::uint64_t);
    constexpr std::uint32_t elements_of_subtask = 1 << 16;
    const std::vector<std::uint64_t> data(elements, 1);
    return static_cast<double>(elements * sizeof(std::uint64_t)) / timer.wall_s(jobs_.read(data, elements_of_subtask));
  }

  void add_local(cluster_model& to, const std::vector<device_info>& here)
  {
    node_model node{.name = "here"};
    for (const auto& [d, count] : kinds_of(here)) {
      say("device " + d.name);
      const stopwatch timer{on_, {d}};
      device_model m{.name = d.name, .count = count, .workers = d.workers};
      const auto speed = rate(timer) / d.workers;
      if (unit_ == 0) unit_ = speed;
      m.speed = speed / unit_;
      if (d.kind != "paced") {  // which waits for the most part
        m.batch = batch_cost(timer);
        (d.backend == "host" ? m.memory_bytes_per_second : m.bytes_per_second) = read_rate(timer);
        if (d.backend != "host") m.memory_bytes_per_second = static_cast<double>(d.memory_bytes_a_second);
      }
      node.devices.push_back(std::move(m));
    }
    to.nodes.push_back(std::move(node));
  }

  /// What runs in this process cost beside their subtasks.
  void measure_runs(run_costs& to, const std::vector<device_info>& here)
  {
    say("runs");
    const stopwatch timer{on_, {here.front()}};
    const auto small = jobs_.hash(timer.workers(), 1, 0);
    const auto merges = [](const run_summary& s) {
      return s.seals == 0 ? 0 : s.aggregate_s / static_cast<double>(s.seals);
    };
    to.seal = seconds{timer.middle(small, merges)};
    // On a paced device there is a subtask in it that takes its time.
    const auto subtask_s = here.front().kind == "paced" ? 1 / unit_ : 0;
    to.start = seconds{std::max(0.0, timer.wall_s(small) - subtask_s - to.seal.count * timer.workers())};
    start_s_ = to.start.count + subtask_s + to.seal.count * timer.workers();

    constexpr std::uint32_t width = 1 << 17;
    const auto wide_s = timer.middle(jobs_.count(timer.workers(), width), merges);
    if (wide_s > 2 * to.seal.count) {
      to.merge_bytes_per_second = width * sizeof(std::uint64_t) / (wide_s - to.seal.count);
    }
    to.steal = steal_cost(here);
  }

  /// A job whose subtasks all begin with one of two workers, against one that is divided evenly.
  seconds steal_cost(const std::vector<device_info>& here) const
  {
    if (here.front().backend != "host" || here.front().kind != "host") return {};
    const ref<cluster_core> two = cluster{"host:1*2"}.core();
    const auto devices = two->describe();
    constexpr std::uint32_t n = 256;
    const auto job = jobs_.hash(n, indices, rounds);
    const auto run = [&](std::uint32_t first) {
      placement where;
      where.shape = digest(job->data.shape);
      where.subtasks = n;
      where.entries = {{devices[0].id, devices[0].name, {{0, first}}, 0}, {devices[1].id, devices[1].name, {}, 0}};
      if (first < n) where.entries[1].ranges.push_back({first, n});
      const auto r = start_run(two, job, &where, {.batches = batching::fixed(1)});
      r->wait();
      return r->summary();
    };
    std::vector<double> costs;
    for (int i = 0; i < 4 * repetitions; ++i) {
      const auto even = run(n / 2);
      const auto one = run(n);
      if (one.steals > even.steals) {
        costs.push_back((one.wall_s - even.wall_s) / static_cast<double>(one.steals - even.steals));
      }
    }
    return seconds{costs.empty() ? 0 : std::max(0.0, median(std::move(costs)))};
  }

  void add_node(cluster_model& to, const std::vector<device_info>& devices)
  {
    const auto name = "node " + std::to_string(devices.front().node.value);
    say(name);
    const stopwatch timer{on_, devices};
    node_model node{.name = name};
    const auto speed = rate(timer) / timer.workers();
    if (unit_ == 0) unit_ = speed;
    for (const auto& [d, count] : kinds_of(devices)) {
      node.devices.push_back({.name = d.name, .count = count, .workers = d.workers, .speed = speed / unit_});
    }
    // A run's way there and back takes 2.5 latencies, as predict() counts.
    const auto small = jobs_.hash(1, 1, 0);
    const auto small_s = timer.wall_s(small);
    const auto subtask_s = devices.front().kind == "paced" ? 1 / speed : 0;
    node.latency = seconds{std::max(0.0, small_s - subtask_s - start_s_) / 2.5};
    node.bytes_per_second = slices_rate(timer, small_s);
    node.broadcast_bytes_per_second = broadcast_rate(timer, small_s);
    to.nodes.push_back(std::move(node));
  }

  /// Bytes a second of what `job` makes of some bytes that no node has seen: what it has does not travel again. The first
  /// run of a size is not counted: it touches memory, here and on the node, that later ones find mapped.
  /// @param small_s  What a run without data takes.
  template <class Job>
  double link_rate(const stopwatch& timer, double small_s, const Job& job)
  {
    std::vector<double> rates;
    std::vector<std::uint64_t> data((1 << 20) / sizeof(std::uint64_t));
    const auto timed_s = [&] {
      for (auto& d : data) d = (fresh_ = (fresh_ ^ (fresh_ >> 29)) * 0xbf58476d1ce4e5b9 + 1);
      return std::max(1e-9, timer.run(job(data)).wall_s - small_s);
    };
    const auto bytes = [&] { return static_cast<double>(data.size() * sizeof(std::uint64_t)); };
    while (bytes() < link_bytes_max && std::min(timed_s(), timed_s()) < options_.each.count / 2) {
      data.resize(2 * data.size());
    }
    for (int i = 0; i < repetitions; ++i) rates.push_back(bytes() / timed_s());
    return median(std::move(rates));
  }
  double slices_rate(const stopwatch& timer, double small_s)
  {
    return link_rate(timer, small_s, [&](const auto& data) { return jobs_.read(data, elements_of_slice); });
  }
  double broadcast_rate(const stopwatch& timer, double small_s)
  {
    return link_rate(timer, small_s, [&](const auto& data) { return jobs_.fetch(data, 1); });
  }

  double uplink(const std::vector<std::vector<device_info>>& nodes)
  {
    say("all links at once");
    std::vector<device_info> first;
    for (const auto& node : nodes) first.push_back(node.front());
    const stopwatch timer{on_, first};
    return slices_rate(timer, timer.wall_s(jobs_.hash(static_cast<std::uint32_t>(nodes.size()), 1, 0)));
  }

  ref<cluster_core> on_;
  const calibration_jobs& jobs_;
  const calibrate_options& options_;
  double unit_ = 0;     // standard subtasks a second of the first device's worker
  double start_s_ = 0;  // of a run in this process of next to nothing
  std::uint64_t fresh_ = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
};

}  // namespace

calibration calibrate(const ref<cluster_core>& on, const calibration_jobs& jobs, const calibrate_options& options)
{
  if (!(options.each.count >= 0.001 && options.each.count <= 10)) {
    throw error{errc::invalid_argument, "calibrate: runs of 0.001 to 10 s can be timed"};
  }
  calibration c;
  c.model = calibrator{on, jobs, options}.measure();
  c.date = utc_text(std::chrono::system_clock::now());
  c.machine = machine_name();
  c.version = version();
  return c;
}

}  // namespace fastgpu::inline v0::detail

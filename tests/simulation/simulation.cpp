#include "simulation/simulation.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "simulation/program.hpp"

namespace simulation {
namespace {

using fastgpu::errc;

constexpr std::uint64_t look_every = 64;  // events between two looks at the ledger
constexpr double restart_s = 0.3;         // the least that a process takes to be there again
constexpr double late_s_most = 4;         // less than what takes a node for dead
constexpr double close_s = 30;            // within which a node hears that a run is over

class simulated_run {
 public:
  simulated_run(const scenario& what, simulate_options options)
      : scenario_{what},
        options_{options},
        world_{support::splitmix64(what.seed), options.trace},
        values_{what.subtasks},
        facts_{&scenario_, &values_},
        events_{world_, always}
  {
    for (std::uint32_t p = 0; p < what.participants.size(); ++p) {
      nodes_.push_back(
          p == 0 && what.local ? nullptr : std::make_unique<simulated_node>(world_, facts_, p, what.participants[p]));
    }
    program_ = std::make_unique<program>(world_, scenario_, facts_, values_, nodes_);
  }

  report run()
  {
    for (auto& node : nodes_) {
      if (node) world_.at(node->hardware().plan.starts, events_.id(), [n = node.get()] { n->start(); });
    }
    for (const auto& f : scenario_.faults) {
      world_.at(f.at, events_.id(), [this, &f] { happen(f); });
    }
    if (scenario_.cancel_at >= 0) world_.at(scenario_.cancel_at, events_.id(), [this] { program_->cancel(); });
    world_.at(0, events_.id(), [this] { program_->start(); });

    auto last_look = world_.events();
    while (program_->how() == outcome::running && world_.step()) {
      if (options_.look && world_.events() - last_look >= look_every) {
        last_look = world_.events();
        program_->look();
      }
      if (world_.time() > quiet_after_ + patience()) world_.wrong("stuck: " + state());
    }
    if (program_->how() == outcome::running && !world_.verdict())
      world_.wrong("stuck, and nothing will happen: " + state());
    if (!world_.verdict()) program_->look();
    if (!world_.verdict()) judge();
    const auto ended = world_.time();
    if (!world_.verdict()) wait_for_nodes();

    result_.wrong = world_.verdict();
    result_.virtual_seconds = ended;
    result_.events = world_.events();
    for (const auto& node : nodes_) result_.messages += node ? node->way().letters : 0;
    result_.trace_hash = world_.trace_hash();
    result_.counters = program_->boss().count();
    return result_;
  }

 private:
  void happen(const fault& f)
  {
    if (program_->how() != outcome::running) return;
    auto* node = nodes_[f.participant].get();
    auto& hardware = node != nullptr ? node->hardware() : program_->local()->hardware();
    const auto heal = [&](double lasts, world::action how) {
      quiet_after_ = std::max(quiet_after_, world_.time() + lasts);
      world_.after(lasts, events_.id(), std::move(how));
    };
    const auto cut = [&](std::initializer_list<end> towards) {
      for (const auto e : towards) {
        node->cut(e);
        heal(f.lasts, [node, e] { node->heal(e); });
      }
    };
    switch (f.kind) {
      case fault_kind::slow:
        hardware.slower = 10;
        heal(f.lasts, [&hardware] { hardware.slower = 1; });
        break;
      case fault_kind::batch_error: ++hardware.batch_errors; break;
      case fault_kind::child_loss: node != nullptr ? node->lose_child() : program_->local()->lose_child(); break;
      default:
        if (node == nullptr) return;  // the program itself is not cut off from itself
    }
    switch (f.kind) {
      case fault_kind::crash:
        node->crash();
        heal(restart_s + f.lasts, [node] { node->start(); });
        break;
      case fault_kind::crash_for_good: node->crash(); break;
      case fault_kind::freeze:
        node->freeze();
        heal(f.lasts, [node] { node->thaw(); });
        break;
      case fault_kind::cut: cut({end::node, end::coordinator}); break;
      case fault_kind::cut_to_node: cut({end::node}); break;
      case fault_kind::cut_to_coordinator: cut({end::coordinator}); break;
      case fault_kind::reset: node->reset(); break;
      case fault_kind::late:
        node->way().extra_latency += std::min(f.lasts, late_s_most);
        heal(f.lasts, [node, by = std::min(f.lasts, late_s_most)] { node->way().extra_latency -= by; });
        break;
      case fault_kind::drain:
        node->drain();
        if (world_.chance().one_in(2)) heal(20 + f.lasts, [node] { node->start(); });
        break;
      default: break;
    }
    const bool loses = f.kind != fault_kind::slow && f.kind != fault_kind::late && f.kind != fault_kind::batch_error;
    if (loses) ++losing_faults_[f.participant];
    world_.note(name_of(f.kind), f.participant);
    ++result_.faults[static_cast<std::size_t>(f.kind)];
  }

  /// Within this time after the last fault has healed the run must end.
  [[nodiscard]] double patience() const
  {
    // Attempts, each of which may cost all that was done; a batch that fails may have been of all subtasks.
    const auto attempts = (scenario_.poison >= 0 ? 3 : 1) +
                          static_cast<double>(result_.faults[static_cast<std::size_t>(fault_kind::batch_error)]);
    return 60 + 2 * scenario_.patience + 2 * attempts * scenario_.slowest_time();
  }

  [[nodiscard]] std::string state() const
  {
    const auto& book = program_->boss().book();
    return std::to_string(book.committed().count()) + " of " + std::to_string(scenario_.subtasks) + " committed, " +
           std::to_string(book.free().count()) + " free";
  }

  /// Whether the run may end as it did.
  void judge()
  {
    const auto& why = program_->why();
    if (program_->how() != outcome::failed) {
      result_.outcome = program_->how() == outcome::done ? "done" : "cancelled";
      return;
    }
    const auto told = "fails for no good reason: " + why.detail;
    auto losses = losing_faults_;
    if (scenario_.poison >= 0) {  // whose attempts are losses too
      for (auto& n : losses) n += 3;
    }
    if (why.code == errc::kernel_failed) {
      result_.outcome = "kernel failed";
      if (why.subtask != scenario_.failing_kernel) world_.wrong(told);
    } else if (why.code == errc::no_usable_device) {
      result_.outcome = "no device left";
      if (program_->anybody_left(losses)) world_.wrong(told);
    } else if (why.code == errc::retries_exhausted) {
      result_.outcome = "retries exhausted";
      const auto budget = static_cast<std::uint64_t>(0.1 * scenario_.subtasks) + 20;
      if (program_->watch().failed_attempts() > budget || !program_->anybody_left(losses)) return;
      if (why.subtask == scenario_.poison) return;  // of whose attempts some may have been backups', which nobody watches
      if (program_->watch().tries(why.subtask) < 3) world_.wrong(told);
    } else {
      world_.wrong(told);
    }
  }

  /// Nobody goes on with what is over, who can be told.
  void wait_for_nodes()
  {
    const auto until = std::max(quiet_after_, world_.time()) + close_s;
    const auto jobs = [&] {
      std::size_t all = 0;
      for (const auto& node : nodes_) all += node ? node->jobs() : 0;
      return all;
    };
    while (jobs() > 0 && world_.time() < until && world_.step()) {
    }
    if (jobs() > 0) world_.wrong("a node goes on with a run that is over");
  }

  const scenario scenario_;
  const simulate_options options_;
  world world_;
  reference values_;
  run_facts facts_;
  owned events_;
  std::vector<std::unique_ptr<simulated_node>> nodes_;
  std::unique_ptr<program> program_;
  std::vector<std::uint32_t> losing_faults_ = std::vector<std::uint32_t>(scenario_.participants.size());
  double quiet_after_ = 0;
  report result_;
};

}  // namespace

std::uint64_t report::all_faults() const { return std::accumulate(faults.begin(), faults.end(), std::uint64_t{0}); }

report simulate(std::uint64_t seed, simulate_options options)
{
  return simulate(scenario_of(seed, options.faults), options);
}

report simulate(const scenario& what, simulate_options options) { return simulated_run{what, options}.run(); }

}  // namespace simulation

#include "simulation/node.hpp"

#include <algorithm>
#include <utility>

namespace simulation {

/// An executor that its node knows as long as it lives.
class node_end::told_executor final : public fastgpu::detail::job_executor {
 public:
  told_executor(node_end& node, std::unique_ptr<model_executor> does) : node_{node}, does_{std::move(does)}
  {
    node_.executors_.push_back(this);
  }
  ~told_executor() override { std::erase(node_.executors_, this); }

  std::optional<failure> store(const fastgpu::detail::job_data_piece& piece, payload&& bytes) override
  {
    return does_->store(piece, std::move(bytes));
  }
  [[nodiscard]] bool may_run(interval range) const override { return does_->may_run(range); }
  void grant(std::span<const interval> ranges) override { does_->grant(ranges); }
  void stage(interval range) override { does_->stage(range); }
  interval_set take_back(std::uint64_t subtasks) override { return does_->take_back(subtasks); }
  void revoke(const interval_set& part) override { does_->revoke(part); }
  fastgpu::detail::sealed_payload take_sealed() override { return does_->take_sealed(); }
  fastgpu::detail::executor_state state() const override { return does_->state(); }
  failure why() const override { return does_->why(); }
  void lose_child() { does_->lose_child(); }

 private:
  node_end& node_;
  std::unique_ptr<model_executor> does_;
};

node_end::node_end(world& where, process whose, session& over, machine& on, run_facts& facts, std::uint32_t device,
                   bool drains, std::function<void()> drain_node, std::function<void()> changed)
    : world_{where},
      process_{whose},
      session_{over},
      machine_{on},
      facts_{facts},
      device_{device},
      drain_node_{std::move(drain_node)},
      changed_{std::move(changed)},
      events_{where, whose},
      alarm_{where, whose},
      service_{where, *this, facts.what->node}
{
  session_.attach(end::node, this);
  if (drains) service_.drain();
}

node_end::~node_end() { session_.attach(end::node, nullptr); }

void node_end::start()
{
  service_.opened();
  set_alarm();
}

void node_end::drain()
{
  if (!open_) return;
  service_.drain();
  set_alarm();
}

void node_end::lose_child()
{
  for (auto* e : executors_) e->lose_child();
}

void node_end::heard(message&& what, payload&& bytes)
{
  service_.received(std::move(what), std::move(bytes));
  set_alarm();
}

void node_end::closed()
{
  open_ = false;
  tell_change();
}

void node_end::send(message what, std::shared_ptr<const payload> bytes)
{
  session_.send(end::node, std::move(what), std::move(bytes));
}

void node_end::breach(const failure& why)
{
  if (open_) world_.wrong("a node was told what contradicts itself: " + why.detail);
}

fastgpu::detail::opened_job node_end::open(const fastgpu::detail::open_job& what,
                                           fastgpu::detail::executor_owner& owner)
{
  fastgpu::detail::opened_job opened;
  if (machine_.plan.refuses) {
    opened.why = {fastgpu::make_error_code(fastgpu::errc::no_matching_device), "it has not got the kernel"};
    return opened;
  }
  const origin from{device_, session_.number(), what.job};
  opened.executor = std::make_unique<told_executor>(
      *this,
      std::make_unique<model_executor>(world_, process_, machine_, facts_, from, what.seal_every_s, owner, false));
  opened.workers = machine_.plan.workers;
  if (machine_.plan.speed_known) opened.subtasks_per_second = machine_.plan.workers * machine_.plan.subtasks_per_second;
  if (facts_.what->broadcast && !machine_.has_broadcast) opened.missing.push_back(0);
  return opened;
}

void node_end::drained()
{
  told_drained_ = true;
  tell_change();
}

/// Not from within the service, which may not outlive it.
void node_end::tell_change()
{
  world_.after(0, events_.id(), [tell = changed_] { tell(); });
}

void node_end::set_alarm()
{
  if (!open_) return;
  alarm_.set(service_.next_tick(), [this] {
    if (!open_) return;
    service_.tick();
    set_alarm();
  });
}

// The process -----------------------------------------------------------------------------------------------------

simulated_node::simulated_node(world& where, run_facts& facts, std::uint32_t device, const participant_plan& plan)
    : world_{where}, facts_{facts}, device_{device}, machine_{plan}, wire_{plan}
{
}

simulated_node::~simulated_node() = default;

void simulated_node::start()
{
  if (up_) return;
  process_ = world_.new_process();
  up_ = true;
  draining_ = false;
}

void simulated_node::crash()
{
  if (!up_) return;
  up_ = false;
  machine_.has_broadcast = false;
  ends_.clear();
  for (auto& s : sessions_) {
    if (s->open(end::node)) s->died(end::node);
  }
}

void simulated_node::freeze()
{
  if (!up_) return;
  world_.freeze(process_);
  for (auto& s : sessions_) {
    if (s->open(end::coordinator)) s->watch_silence(end::coordinator);
  }
}

void simulated_node::thaw() { world_.thaw(process_); }

void simulated_node::drain()
{
  if (!up_ || world_.frozen(process_)) return;
  draining_ = true;
  for (auto& e : ends_) e->drain();
  look_after_ends();
}

/// What a closed session had is gone with it. A node that is drained on all of them says goodbye and ends.
void simulated_node::look_after_ends()
{
  std::erase_if(ends_, [](const auto& e) { return !e->open(); });
  if (!up_ || !draining_) return;
  if (!std::all_of(ends_.begin(), ends_.end(), [](const auto& e) { return e->told_drained(); })) return;
  for (auto& s : sessions_) {
    if (s->open(end::node)) s->close(end::node);
  }
  crash();
}

void simulated_node::lose_child()
{
  if (world_.frozen(process_)) return;
  for (auto& e : ends_) {
    if (e->open()) e->lose_child();
  }
}

void simulated_node::cut(end towards)
{
  ++wire_.cuts[index(towards)];
  ++wire_.cut_number[index(towards)];
  for (auto& s : sessions_) s->path_changed(towards);
}

void simulated_node::heal(end towards)
{
  if (--wire_.cuts[index(towards)] > 0) return;
  for (auto& s : sessions_) s->path_changed(towards);
}

void simulated_node::reset()
{
  for (auto& s : sessions_) s->reset();
}

session& simulated_node::accept(std::uint32_t number)
{
  sessions_.push_back(std::make_unique<session>(world_, wire_, number, process_));
  ends_.push_back(std::make_unique<node_end>(
      world_, process_, *sessions_.back(), machine_, facts_, device_, draining_, [this] { drain(); },
      [this] { look_after_ends(); }));
  auto* made = ends_.back().get();
  made->start();
  return *sessions_.back();
}

std::size_t simulated_node::jobs() const
{
  std::size_t all = 0;
  for (const auto& e : ends_) {
    if (e->open()) all += e->jobs();
  }
  return all;
}

}  // namespace simulation

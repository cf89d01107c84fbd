#include "simulation/program.hpp"

#include <algorithm>
#include <utility>

namespace simulation {

program::program(world& where, const scenario& what, run_facts& facts, const reference& values,
                 std::vector<std::unique_ptr<simulated_node>>& nodes)
    : world_{where},
      scenario_{what},
      events_{where, always},
      alarm_{where, always},
      checker_{where, values, what.subtasks, what.span, what.participants.size()},
      boss_{where, *this, what.subtasks, what.steering}
{
  for (std::size_t p = 0; p < what.participants.size(); ++p) {
    const auto device = boss_.add();
    links_.emplace_back();
    if (p == 0 && what.local) {
      local_ = std::make_unique<local_participant>(where, *this, boss_, checker_, facts, device, what.participants[p]);
    } else {
      links_[p] = std::make_unique<node_link>(where, *this, boss_, checker_, what, device, *nodes[p]);
    }
  }
}

void program::start()
{
  if (scenario_.reserved) {
    const auto half = scenario_.subtasks / 2 / scenario_.span * scenario_.span;
    boss_.reserve({0}, {0, half});
  }
  if (local_) local_->join();
  for (auto& link : links_) {
    if (link) link->connect();
  }
  world_.after(0.01, events_.id(), [this] {  // as many as are there by then share the start
    if (outcome_ != outcome::running) return;
    boss_.start();
    touched();
  });
  touched();
}

void program::cancel()
{
  if (outcome_ != outcome::running) return;
  world_.note("cancelled");
  outcome_ = outcome::cancelled;
  checker_.over();
  end();
}

bool program::anybody_left(const std::vector<std::uint32_t>& losses) const
{
  if (local_ && !local_->lost()) return true;
  for (std::size_t p = 0; p < links_.size(); ++p) {
    if (links_[p] && !links_[p]->out() && losses.at(p) < scenario_.steering.losses_max) return true;
  }
  return false;
}

void program::touched()
{
  if (outcome_ != outcome::running) return;
  alarm_.set(boss_.next_tick(), [this] {
    if (outcome_ != outcome::running) return;
    boss_.tick();
    touched();
  });
  if (scenario_.remote.grant_subtasks_of_data == 0) return;  // links are only touched by their own nodes
  for (auto& link : links_) {
    if (link) link->set_alarm();
  }
}

void program::commit(fastgpu::detail::arrived_values& values, const interval_set& fold_set)
{
  const auto& held = static_cast<values_here&>(values).held;
  world_.note("counts", held.from.device, held.from.job, fold_set.count());
  checker_.committed(held, fold_set);
}

void program::distrust(fastgpu::device_id device, const failure& why)
{
  world_.note("distrusts", device.value);
  if (why.code == fastgpu::errc::protocol_error)
    return world_.wrong("an honest participant is not believed: " + why.detail);
  world_.after(0, events_.id(), [this, device, why] {
    if (local_ && device.value == 0) return local_->cut_off(why);
    links_[device.value]->cut_off(why);
  });
}

void program::decided(const std::optional<failure>& why)
{
  if (outcome_ != outcome::running) return world_.wrong("the run is decided twice");
  world_.note("decided", why ? static_cast<std::uint64_t>(why->code.value()) : 0);
  outcome_ = why ? outcome::failed : outcome::done;
  if (why) why_ = *why;
  if (!why) checker_.expect_complete();
  checker_.over();
  world_.after(0, events_.id(), [this] { end(); });
}

void program::end()
{
  if (local_) local_->stop();
  for (auto& link : links_) {
    if (link) link->close_job();
  }
}

}  // namespace simulation

#include <algorithm>
#include <utility>
#include <variant>

#include "simulation/program.hpp"

namespace simulation {
namespace {

using fastgpu::errc;
using fastgpu::make_error_code;

constexpr double back_off_first_s = 0.1;
constexpr double handshake_ways = 3;  // there, back, and there again

}  // namespace

node_link::node_link(world& where, program_core& core, fastgpu::detail::coordinator& boss, checker& watch,
                     const scenario& what, fastgpu::device_id device, simulated_node& node)
    : world_{where},
      core_{core},
      boss_{boss},
      checker_{watch},
      scenario_{what},
      device_{device},
      node_{node},
      events_{where, always},
      alarm_{where, always},
      participant_{where, boss, device, *this, what.remote}
{
}

// Sessions --------------------------------------------------------------------------------------------------------

void node_link::connect()
{
  if (core_.over() || gave_up_ || session_ != nullptr) return;
  if (!node_.answers()) return try_again();
  world_.after(handshake_ways * node_.way().plan.latency, events_.id(), [this] {
    if (core_.over() || gave_up_ || session_ != nullptr) return;
    if (!node_.answers()) return try_again();
    back_off_ = 0;
    losses_ = 0;
    session_ = &node_.accept(core_.next_number());
    session_->attach(end::coordinator, this);
    checker_.session_opened(device_.value, session_->number());
    world_.note("session", device_.value, session_->number());
    participant_.session_opened(2 * node_.way().plan.latency, node_.way().plan.bytes_per_second);
    core_.touched();
  });
}

void node_link::try_again()
{
  if (core_.over()) return;
  if (world_.time() - away_since_ > scenario_.patience) {
    gave_up_ = true;
    world_.note("gave up", device_.value);
    boss_.gave_up(device_, {make_error_code(errc::node_unreachable), "it does not answer"});
    return core_.touched();
  }
  back_off_ = std::clamp(2 * back_off_, back_off_first_s, scenario_.back_off_most);
  world_.after(world_.chance().between(0.01, back_off_), events_.id(), [this] { connect(); });
}

void node_link::closed()
{
  session_ = nullptr;
  away_since_ = world_.time();
  checker_.session_closed(device_.value);
  participant_.session_closed({make_error_code(errc::node_lost), "the session ended"});
  try_again();
  set_alarm();
  core_.touched();
}

void node_link::suspected(bool now)
{
  participant_.suspected(now);
  core_.touched();
}

void node_link::cut_off(const failure&)
{
  if (session_ != nullptr) session_->close(end::coordinator);
}

void node_link::close_job() { participant_.close(); }

void node_link::cut(const failure& why) { world_.wrong("an honest node is not believed: " + why.detail); }

// What is said ----------------------------------------------------------------------------------------------------

void node_link::heard(message&& what, payload&& bytes)
{
  note_heard(what);
  if (std::holds_alternative<fastgpu::detail::node_drains>(what)) {
    participant_.node_drains();
  } else {
    (void)participant_.received(what, bytes);
  }
  set_alarm();
  core_.touched();
}

void node_link::heard_late(message&& what, payload&& bytes)
{
  if (!scenario_.odd.hears_the_dead) return;
  (void)participant_.received(what, bytes);
  set_alarm();
  core_.touched();
}

/// For the checker, what the node says of itself now.
void node_link::note_heard(const message& what)
{
  const auto current = checker_.job_of(device_.value);
  const auto returned = [&](const std::vector<interval>& ranges) {
    for (const auto& range : ranges) checker_.returned(device_.value, range);
  };
  if (const auto* back = std::get_if<fastgpu::detail::taken_back>(&what); back != nullptr && back->job == current) {
    returned(back->ranges);
  } else if (const auto* s = std::get_if<fastgpu::detail::job_sealed>(&what); s != nullptr && s->job == current) {
    interval_set fold_set;
    for (const auto& range : s->fold_set) fold_set.insert(range);
    checker_.sealed(device_.value, s->seal, fold_set);
    returned(s->fold_set);
    returned(s->dropped);
  } else if (const auto* lost = std::get_if<fastgpu::detail::partial_lost>(&what);
             lost != nullptr && lost->job == current) {
    checker_.job_lost(device_.value, lost->in_flight);
    ++losses_;
  } else if (std::holds_alternative<fastgpu::detail::job_refused>(what)) {
    refused_ = true;
  }
}

void node_link::send(message what, std::shared_ptr<const payload> bytes)
{
  if (session_ == nullptr) return;
  if (const auto* g = std::get_if<fastgpu::detail::grant_ranges>(&what); g != nullptr && !g->staged) {
    for (const auto& range : g->ranges) checker_.granted(device_.value, range);
  } else if (const auto* a = std::get_if<fastgpu::detail::acknowledge_seal>(&what)) {
    checker_.acknowledged(device_.value, a->seal);
    losses_ = 0;
  }
  session_->send(end::coordinator, std::move(what), std::move(bytes));
}

std::uint64_t node_link::queued_bytes() const { return session_ == nullptr ? 0 : session_->queued_bytes(end::node); }

fastgpu::detail::job_number node_link::next_job()
{
  const auto number = core_.next_number();
  checker_.job_opened(device_.value, number);
  return number;
}

fastgpu::detail::open_job node_link::describe()
{
  fastgpu::detail::open_job what;
  what.what.kernel = "simulated";
  what.what.subtasks = scenario_.subtasks;
  what.seal_every_s = scenario_.seal_every;
  return what;
}

fastgpu::detail::packed_piece node_link::broadcast(std::uint32_t argument)
{
  fastgpu::detail::packed_piece piece;
  piece.where.argument = argument;
  piece.bytes = std::make_shared<const payload>(200);
  return piece;
}

std::vector<fastgpu::detail::packed_piece> node_link::pieces(interval range)
{
  std::vector<fastgpu::detail::packed_piece> all;
  if (scenario_.slice_bytes == 0) return all;
  // In two pieces, where that can be.
  const auto middle = range.begin + range.size() / 2;
  for (const interval part : {interval{range.begin, middle}, interval{middle, range.end}}) {
    if (part.empty()) continue;
    fastgpu::detail::packed_piece piece;
    piece.where.argument = 1;
    piece.where.begin[0] = part.begin;
    piece.where.end[0] = part.end;
    piece.bytes = std::make_shared<const payload>(std::size_t{part.size()} * scenario_.slice_bytes);
    all.push_back(std::move(piece));
  }
  return all;
}

fastgpu::result<std::unique_ptr<fastgpu::detail::arrived_values>> node_link::unpack(const interval_set&,
                                                                                    payload&& bytes)
{
  return std::unique_ptr<fastgpu::detail::arrived_values>{std::make_unique<values_here>(simulation::unpack(bytes))};
}

void node_link::set_alarm()
{
  alarm_.set(participant_.next_tick(), [this] {
    participant_.tick();
    core_.touched();
  });
}

}  // namespace simulation

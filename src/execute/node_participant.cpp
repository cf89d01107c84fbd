#include <algorithm>
#include <utility>

#include <fastgpu/observe/log.hpp>

#include "execute/shared_machinery.hpp"
#include "node/job_pieces.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr double usual_bytes_per_second = 3e8;  // of a link, until it is measured

}  // namespace

node_participant::node_participant(network& on, node_link& node, const shared_job& what, coordinator& boss,
                                   device_id device, std::function<void()> changed)
    : node_{node},
      what_{what},
      device_{device},
      changed_{std::move(changed)},
      machine_{on, boss, device, *this, {.grant_subtasks_of_data = what.subtasks_of_data}},
      settled_{!node.ready() || node.draining()}
{
  node_.add(*this);
  // Nobody is told: the run does not know of this participant yet, and would begin without it.
  if (!settled_) open_job_on(node_);
}

node_participant::~node_participant()
{
  machine_.close();
  node_.remove(*this);
}

void node_participant::session_opened(node_link& node)
{
  open_job_on(node);
  changed_();
}

void node_participant::open_job_on(node_link& node)
{
  machine_.session_opened(node.latency_s(), what_.subtasks_of_data > 0 ? usual_bytes_per_second : 0);
}

void node_participant::session_closed(node_link&, const failure& why)
{
  settled_ = true;
  machine_.session_closed(why, node_.in_flight(machine_.job()));
  changed_();
}

bool node_participant::received(node_link& node, message& what, payload& bytes)
{
  if (const auto* refused = std::get_if<job_refused>(&what)) {
    log_line(log_level::warning, "node " + node.name() + " does not take part: " + refused->why.detail);
    settled_ = true;
  }
  if (std::holds_alternative<job_opened>(what)) settled_ = true;
  const bool mine = machine_.received(what, bytes);
  changed_();
  return mine;
}

void node_participant::node_drains(node_link&)
{
  machine_.node_drains();
  changed_();
}

void node_participant::node_suspected(node_link&, bool now)
{
  machine_.suspected(now);
  changed_();
}

void node_participant::send(message what, std::shared_ptr<const payload> bytes)
{
  node_.send(std::move(what), std::move(bytes));
}

job_number node_participant::next_job()
{
  sent_.clear();
  return node_.next_job();
}

packed_piece node_participant::broadcast(std::uint32_t argument)
{
  if (argument >= what_.job->data.argument_count ||
      what_.job->data.arguments[argument].kind != argument_kind::broadcast) {
    return {};
  }
  packed_piece piece;
  piece.where = whole_piece(what_.job->data, argument);
  piece.bytes = std::make_shared<const payload>(pack_piece(what_.job->data, piece.where));
  return piece;
}

std::vector<packed_piece> node_participant::pieces(interval range)
{
  std::vector<packed_piece> packed;
  if (what_.subtasks_of_data == 0) return packed;
  for (const auto& where : pieces_for(what_.job->data, range, sent_)) {
    packed.push_back({where, std::make_shared<const payload>(pack_piece(what_.job->data, where))});
  }
  return packed;
}

result<std::unique_ptr<arrived_values>> node_participant::unpack(const interval_set& fold_set, payload&& bytes)
{
  auto arrived = unpack_partial(what_.job->data, what_.fold, *what_.memory, fold_set, std::move(bytes));
  if (!arrived.has_value()) return arrived.error();
  return std::unique_ptr<arrived_values>{std::make_unique<remote_values>(std::move(arrived).value())};
}

}  // namespace fastgpu::inline v0::detail

#include <algorithm>
#include <utility>

#include <fastgpu/observe/log.hpp>

#include "execute/shared_machinery.hpp"
#include "node/job_pieces.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr double usual_bytes_per_second = 3e8;  // of a link, until it is measured

}  // namespace

node_participant::node_participant(network& on, node_link& node, shared_job& what, coordinator& boss,
                                   device_id device, std::function<void()> changed)
    : on_{on},
      node_{node},
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
  sent_meter_->cut(on_.now());
  machine_.session_closed(why, node_.in_flight(machine_.job()));
  changed_();
}

bool node_participant::received(node_link& node, message& what, payload& bytes)
{
  const auto* refused = std::get_if<job_refused>(&what);
  const auto why = refused != nullptr ? refused->why.detail : std::string{};
  const bool answer = refused != nullptr || std::holds_alternative<job_opened>(what);
  if (auto* failed = std::get_if<attempt_failed>(&what); failed != nullptr && failed->job == machine_.job()) {  // its devices' numbers say nothing here
    failed->why.detail.insert(0, "node " + node.name() + ": ");
    failed->why.device = -1;
  }
  const auto came = bytes.size();
  if (!machine_.received(what, bytes)) return false;
  bytes_received_ += came;
  if (came > 0) received_s_ += node.payload_took_s();
  if (!why.empty()) log_line(log_level::warning, "node " + node.name() + " does not take part: " + why);
  settled_ = settled_ || answer;
  changed_();
  return true;
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
  const auto meter = bytes ? sent_meter_ : nullptr;
  node_.send(std::move(what), std::move(bytes), meter);
}

job_number node_participant::next_job()
{
  sent_.clear();
  return node_.next_job();
}

packed_piece node_participant::broadcast(std::uint32_t argument) { return what_.broadcast(argument); }

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
  auto arrived = unpack_partial(what_.job->data, what_.fold, what_.memory, fold_set, std::move(bytes));
  if (!arrived.has_value()) return arrived.error();
  return std::unique_ptr<arrived_values>{std::make_unique<remote_values>(std::move(arrived).value())};
}

}  // namespace fastgpu::inline v0::detail

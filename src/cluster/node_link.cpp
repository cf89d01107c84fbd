#include "cluster/node_link.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <gsl/assert>

#include <fastgpu/observe/log.hpp>

#include "net/self.hpp"

namespace fastgpu::inline v0::detail {

node_link::node_link(network& on, node_id id, node_link_options options, std::function<void()> changed)
    : on_{on},
      id_{id},
      options_{std::move(options)},
      changed_{std::move(changed)},
      again_{on, [this] { connect(); }},
      failed_{on, [this] { try_later(failure{trouble_}); }},
      mute_{on,
            [this] {
              cut({make_error_code(errc::node_lost), std::string{"it does not say what it offers"}});
            }},
      name_{options_.address}
{
}

node_link::~node_link() = default;

void node_link::leave()
{
  leaving_ = true;
  attempt_ = {};
  again_.set(std::nullopt);
  failed_.set(std::nullopt);
  if (session_) session_->close();
}

void node_link::connect()
{
  ++attempts_;
  if (options_.worker) return spawn();
  attempt_ = fastgpu::detail::connect(on_.io(), options_.address, options_.credentials,
                                      [this](result<byte_stream> stream) { connected(std::move(stream)); },
                                      {.expects = role::node, .deadline = options_.limits.handshake,
                                       .dead_after = options_.limits.dead_after});
}

void node_link::adopt(byte_stream stream)
{
  Expects(!session_);
  ++attempts_;
  auto self = this_process(options_.credentials ? options_.credentials->name() : std::string{});
  self.server = true;
  hello_at_ = on_.now();
  connection_owner& me = *this;
  session_ = std::make_unique<connection>(on_, std::move(stream), std::move(self), me, options_.limits);
}

void node_link::spawn()
{
  try {
    worker_ = std::make_unique<worker_process>(on_, *options_.worker);
    connected(worker_->stream());
  } catch (const error& e) {
    worker_.reset();
    trouble_ = e.why();
    failed_.set(on_.now());  // told from a call of its own
  }
}

std::vector<interval> node_link::in_flight(job_number job) const
{
  return worker_ ? worker_->board().read(job) : std::vector<interval>{};
}

void node_link::connected(result<byte_stream> stream)
{
  if (!stream.has_value()) return try_later(stream.error());
  auto self = this_process(options_.credentials ? options_.credentials->name() : std::string{});
  self.wanted = role::submit;
  hello_at_ = on_.now();
  connection_owner& me = *this;
  session_ = std::make_unique<connection>(on_, std::move(stream).value(), std::move(self), me, options_.limits);
}

void node_link::try_later(const failure& why)
{
  trouble_ = why;
  // Said once; from then on silently, until it was there again.
  if (!std::exchange(warned_, true)) {
    log_line(log_level::warning, (options_.worker ? "" : "node ") + why.detail + "; it is " +
                                     (options_.worker     ? "started again"
                                      : options_.dials_in ? "expected back"
                                                          : "tried again"));
  }
  if (!options_.dials_in) again_.set(seconds{on_.now().count + reconnect_delay(++failures_, on_.random()).count});
  changed_();
}

void node_link::opened(connection& which)
{
  latency_s_ = on_.now().count - hello_at_.count;
  name_ = which.peer().certified ? which.peer().name : which.peer_self().name;  // else any of a user's has one name
  mute_.set(seconds{on_.now().count + options_.limits.handshake.count});  // what it offers comes next
}

void node_link::received(connection&, message&& what, payload&& bytes)
{
  if (auto* offer = std::get_if<describe_node>(&what)) {
    devices_ = std::move(offer->devices);
    draining_ = offer->draining;
    failures_ = 0;
    mute_.set(std::nullopt);
    if (std::exchange(warned_, false)) log_line(log_level::info, "node " + name_ + " is there");
    const bool first = !std::exchange(ready_, true);
    changed_();
    if (!first) return;
    const auto users = users_;
    for (auto* user : users) user->session_opened(*this);
    return;
  }
  if (std::holds_alternative<node_drains>(what)) {
    draining_ = true;
    changed_();
    const auto users = users_;
    for (auto* user : users) user->node_drains(*this);
    return;
  }
  const auto users = users_;
  for (auto* user : users) {
    if (user->received(*this, what, bytes)) return;
  }
}

void node_link::suspected(connection&, bool now)
{
  if (now) log_line(log_level::info, "node " + name_ + " has been silent for a while; it is given nothing new");
  const auto users = users_;
  for (auto* user : users) user->node_suspected(*this, now);
}

void node_link::closed(connection& which, const failure& why)
{
  const bool was_ready = std::exchange(ready_, false);
  const bool drained = draining_ && !why.code;
  mute_.set(std::nullopt);
  past_traffic_.messages_sent += which.count().messages_sent;
  past_traffic_.messages_received += which.count().messages_received;
  past_traffic_.bytes_sent += which.count().bytes_sent;
  past_traffic_.bytes_received += which.count().bytes_received;
  session_.reset();
  if (leaving_) return;
  draining_ = false;
  jobs_ = 0;
  auto told = why;
  if (!told.code) told = {make_error_code(errc::node_lost), "it has left"};
  if (worker_) {
    told = {make_error_code(errc::device_lost), worker_->bury()};
  }
  told.detail = (worker_ ? "worker process " : "") + name_ + ": " + told.detail;
  if (was_ready) {
    const auto users = users_;
    for (auto* user : users) user->session_closed(*this, told);
  }
  if (drained) {  // it has said that it goes, and may come again
    trouble_ = told;
    warned_ = true;
    if (!options_.dials_in) again_.set(seconds{on_.now().count + reconnect_delay(++failures_, on_.random()).count});
    return changed_();
  }
  try_later(told);
}

void node_link::add(node_user& user) { users_.push_back(&user); }

void node_link::remove(node_user& user) { std::erase(users_, &user); }

void node_link::send(message what, std::shared_ptr<const payload> bytes, std::shared_ptr<transfer_meter> meter)
{
  if (session_) session_->send(std::move(what), std::move(bytes), std::move(meter));
}

void node_link::cut(const failure& why)
{
  log_line(log_level::error, "node " + name_ + " is cut off: " + why.detail);
  if (session_) session_->cut(why);
}

session::counters node_link::traffic() const
{
  auto all = past_traffic_;
  if (session_) {
    all.messages_sent += session_->count().messages_sent;
    all.messages_received += session_->count().messages_received;
    all.bytes_sent += session_->count().bytes_sent;
    all.bytes_received += session_->count().bytes_received;
  }
  return all;
}

}  // namespace fastgpu::inline v0::detail

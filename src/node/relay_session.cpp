#include "node/relay_session.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include <fastgpu/observe/log.hpp>

#include "net/self.hpp"

namespace fastgpu::inline v0::detail {
namespace {

/// The job that a message is about; 0: about none.
job_number job_of(const message& what)
{
  return std::visit(
      [](const auto& m) -> job_number {
        if constexpr (requires { m.job; }) {
          return m.job;
        } else {
          return 0;
        }
      },
      what);
}

std::shared_ptr<const payload> shared(const message& what, payload&& bytes)
{
  // A message that was sent with a payload, however empty, keeps its order among those alone.
  const bool with = std::holds_alternative<job_data_piece>(what) || std::holds_alternative<job_sealed>(what) ||
                    std::holds_alternative<backup_done>(what);
  return with ? std::make_shared<const payload>(std::move(bytes)) : nullptr;
}

}  // namespace

relay_session::relay_session(network& on, byte_stream stream, worker_options worker, std::vector<device_info> devices,
                             coordinator_session_owner& owner, met how, session_limits limits)
    : on_{on},
      options_{std::move(worker)},
      devices_{std::move(devices)},
      owner_{owner},
      above_{on, std::move(stream), this_node(options_.name, how == met::listening), *this, std::move(limits)}
{
}

relay_session::~relay_session() = default;

void relay_session::drain()
{
  if (std::exchange(draining_, true)) return;
  if (!above_.open()) return above_.close();
  above_.send(node_drains{});
  if (below_ && below_->open()) {
    below_->send(ask_to_drain{});  // it ends when it has nothing more, and so does this
  } else {
    above_.close();
  }
}

// The worker ------------------------------------------------------------------------------------------------------

void relay_session::start_worker()
{
  worker_ = std::make_unique<worker_process>(on_, options_);
  auto self = this_process(options_.name);
  self.wanted = role::submit | role::observe | role::operate;
  connection_owner& me = *this;
  below_ = std::make_unique<connection>(on_, worker_->stream(), std::move(self), me, worker_limits());
}

void relay_session::worker_ended(const failure& why)
{
  below_.reset();
  waiting_.clear();
  const auto jobs = std::exchange(jobs_, {});
  if (!worker_) return;
  const auto end = worker_->bury();
  const failure lost{make_error_code(errc::device_lost), "the worker process of " + options_.name + " was lost: " + end};
  for (const auto job : jobs) above_.send(partial_lost{job, worker_->board().read(job), lost});
  worker_.reset();
  if (draining_) return above_.close();
  if (!jobs.empty()) log_line(log_level::warning, lost.detail + (why.detail.empty() ? "" : " (" + why.detail + ")"));
}

// Messages --------------------------------------------------------------------------------------------------------

void relay_session::opened(connection& which)
{
  if (&which == &above_) {
    above_.send(describe_node{devices_, draining_});
    return;
  }
  for (auto& [what, bytes] : std::exchange(waiting_, {})) pass_down(std::move(what), std::move(bytes));
}

void relay_session::received(connection& which, message&& what, payload&& bytes)
{
  if (&which == &above_) {
    from_above(std::move(what), std::move(bytes));
  } else {
    from_below(std::move(what), std::move(bytes));
  }
}

void relay_session::from_above(message&& what, payload&& bytes)
{
  if (std::holds_alternative<ask_to_drain>(what)) return owner_.drain_all();
  if (std::holds_alternative<ask_description>(what)) return above_.send(describe_node{devices_, draining_});
  const auto job = job_of(what);
  if (std::holds_alternative<open_job>(what)) {
    try {
      if (!below_) start_worker();
    } catch (const error& e) {
      return above_.send(job_refused{job, e.why()});
    }
    jobs_.push_back(job);
  } else if (std::find(jobs_.begin(), jobs_.end(), job) == jobs_.end()) {
    return;  // it was lost, or is closed
  }
  if (std::holds_alternative<close_job>(what)) std::erase(jobs_, job);
  pass_down(std::move(what), std::move(bytes));
}

void relay_session::pass_down(message&& what, payload&& bytes)
{
  if (!below_) return;
  if (!below_->open()) {
    waiting_.emplace_back(std::move(what), std::move(bytes));
    return;
  }
  auto with = shared(what, std::move(bytes));
  below_->send(std::move(what), std::move(with));
}

void relay_session::from_below(message&& what, payload&& bytes)
{
  if (std::holds_alternative<describe_node>(what)) return;
  if (std::holds_alternative<node_drains>(what)) return;  // was told above
  const auto job = job_of(what);
  if (std::find(jobs_.begin(), jobs_.end(), job) == jobs_.end()) return;
  const bool over = std::holds_alternative<job_refused>(what) || std::holds_alternative<partial_lost>(what);
  if (over) std::erase(jobs_, job);
  auto with = shared(what, std::move(bytes));
  above_.send(std::move(what), std::move(with));
}

void relay_session::closed(connection& which, const failure& why)
{
  if (&which == &above_) return owner_.ended(*this, why);
  worker_ended(why);
}

}  // namespace fastgpu::inline v0::detail

#include "execute/remote_participant.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <variant>

#include <gsl/assert>

#include "detail/planted.hpp"

namespace fastgpu::inline v0::detail {
namespace {

/// As a set; nothing where some overlap or are empty.
std::optional<interval_set> set_of(const std::vector<interval>& ranges)
{
  interval_set set;
  for (const auto& range : ranges) {
    if (range.begin >= range.end || !set.try_insert(range)) return std::nullopt;
  }
  return set;
}

}  // namespace

remote_participant::remote_participant(environment& world, coordinator& boss, device_id device, remote_host& host,
                                       remote_options options)
    : world_{world}, boss_{boss}, device_{device}, host_{host}, options_{options}
{
}

// The session and the job on it -----------------------------------------------------------------------------------

void remote_participant::session_opened(double latency_s, double bytes_per_second)
{
  if (state_ == state::over) return;
  Expects(state_ == state::away);
  earlier_jobs_.clear();
  job_ = 0;
  latency_s_ = latency_s;
  bytes_per_second_ = bytes_per_second;
  losses_ = 0;
  open();
}

void remote_participant::open()
{
  auto m = host_.describe();
  if (job_ != 0) earlier_jobs_.push_back(job_);
  m.job = job_ = host_.next_job();
  state_ = state::opening;
  pieces_ = 0;
  done_ = 0;
  earlier_work_ += std::exchange(work_, {});
  host_.send(std::move(m), nullptr);
}

void remote_participant::session_closed(const failure& why, const std::vector<interval>& in_flight)
{
  if (state_ == state::over) return;
  const auto was = std::exchange(state_, state::away);
  waiting_.clear();
  given_back_.reset();
  if (was == state::joined) boss_.left(device_, set_of(in_flight).value_or(interval_set{}), why, true);
}

void remote_participant::close()
{
  if (state_ == state::opening || state_ == state::joined) host_.send(close_job{job_}, nullptr);
  state_ = state::over;
  waiting_.clear();
  given_back_.reset();
}

void remote_participant::suspected(bool now)
{
  if (state_ == state::joined) boss_.suspected(device_, now);
}

void remote_participant::node_drains() { boss_.drains(device_); }

bool remote_participant::received(message& what, payload& bytes)
{
  return std::visit(
      [&]<class M>(M& m) {
        if constexpr (requires { on(std::as_const(m)); } || requires { on(std::as_const(m), std::move(bytes)); }) {
          const bool before = planted(bug::fence_off_by_one) && m.job < job_ && m.job + 3 > job_;
          if (m.job != job_ && !before && !planted(bug::no_fence)) {
            const bool mine = std::find(earlier_jobs_.begin(), earlier_jobs_.end(), m.job) != earlier_jobs_.end();
            if (mine) boss_.note_fenced();
            return mine;
          }
          if (state_ != state::opening && state_ != state::joined) {
            boss_.note_fenced();
          } else if constexpr (requires { on(std::as_const(m)); }) {
            on(std::as_const(m));
          } else {
            on(std::as_const(m), std::move(bytes));
          }
          return true;
        } else {
          return false;
        }
      },
      what);
}

void remote_participant::on(const job_opened& m)
{
  if (state_ != state::opening) return cut("it opened a job twice");
  if (!std::isfinite(m.subtasks_per_second)) return cut("its speed is no number");
  std::vector<bool> sent;
  for (const auto argument : m.missing) {
    if (sent.size() <= argument) sent.resize(argument + std::size_t{1});
    if (sent[argument]) return cut("it asked for the same data twice");
    sent[argument] = true;
    auto piece = host_.broadcast(argument);
    if (piece.bytes == nullptr) return cut("it asked for data that are no broadcast's");
    piece.where.job = job_;
    ++pieces_;
    host_.send(piece.where, std::move(piece.bytes));
  }
  state_ = state::joined;
  took_part_ = true;
  numeric_classes_ = m.numeric_classes;
  workers_ = std::max(m.workers, 1u);
  const bool wanted = boss_.joined(
      device_, *this,
      {workers_, std::max(m.subtasks_per_second, 0.0), latency_s_, bytes_per_second_, true});
  if (!wanted) close();
}

void remote_participant::note_work(double busy_s)
{
  const auto now = world_.now();
  auto first = now.count - busy_s / std::max(workers_, 1u);
  if (granted_at_) first = std::max(first, granted_at_->count);
  if (!at_work_) at_work_ = work_time{now, now};
  at_work_->first.count = std::min(at_work_->first.count, first);
  at_work_->last = now;
}

work_report remote_participant::work() const
{
  auto all = earlier_work_;
  all += work_;
  return all;
}

void remote_participant::on(const job_refused& m)
{
  if (state_ != state::opening) return cut("it refused a job that it had opened");
  state_ = state::away;
  boss_.gave_up(device_, m.why);
}

void remote_participant::on(const partial_lost& m)
{
  const auto in_flight = set_of(m.in_flight);
  if (!in_flight) return cut("its in-flight subtasks overlap");
  const auto was = std::exchange(state_, state::reopening);
  waiting_.clear();
  given_back_.reset();
  ++losses_;
  reopen_after_s_ = std::clamp(2 * reopen_after_s_, options_.reopen_first.count, options_.reopen_most.count);
  reopen_at_ = seconds{world_.now().count + reopen_after_s_};
  const bool again = losses_ < options_.losses_max;
  if (!again) state_ = state::away;
  if (was == state::joined) boss_.left(device_, *in_flight, m.why, again);
  if (!again) boss_.gave_up(device_, m.why);
}

// What the coordinator says ---------------------------------------------------------------------------------------

void remote_participant::grant(std::span<const interval> ranges)
{
  if (!granted_at_) granted_at_ = world_.now();
  if (options_.grant_subtasks_of_data == 0) {
    host_.send(grant_ranges{job_, false, pieces_, {ranges.begin(), ranges.end()}}, nullptr);
    return;
  }
  waiting_.insert(waiting_.end(), ranges.begin(), ranges.end());
  send_waiting();
}

void remote_participant::stage(interval range) { send_with_data(range, true); }

void remote_participant::send_with_data(interval range, bool staged)
{
  for (auto& piece : host_.pieces(range)) {
    piece.where.job = job_;
    ++pieces_;
    host_.send(piece.where, std::move(piece.bytes));
  }
  host_.send(grant_ranges{job_, staged, pieces_, {range}}, nullptr);
}

bool remote_participant::may_send() const { return host_.queued_bytes() < options_.window_bytes; }

/// About one piece: what others are sent goes in between, and this one is on its way while the next is packed.
void remote_participant::send_waiting()
{
  const auto most = options_.grant_subtasks_of_data;  // whole spans
  for (std::uint32_t sent = 0; sent < most && !waiting_.empty() && may_send();) {
    auto& next = waiting_.front();
    const interval part{next.begin, next.begin + std::min(most, next.size())};
    sent += part.size();
    next.begin = part.end;
    if (next.empty()) waiting_.pop_front();
    send_with_data(part, false);
  }
}

void remote_participant::take_back(std::uint32_t request, std::uint64_t subtasks)
{
  if (waiting_.empty()) {
    host_.send(fastgpu::detail::take_back{job_, request, subtasks}, nullptr);
    return;
  }
  // What the node has not heard of is had without asking it; told later, since the coordinator is in the midst of it.
  interval_set taken;
  const std::uint64_t step = options_.grant_subtasks_of_data;
  while (!waiting_.empty() && taken.count() < subtasks) {
    auto& last = waiting_.back();
    const auto pieces = (std::min<std::uint64_t>(subtasks - taken.count(), last.size()) + step - 1) / step;
    const auto keep = (last.size() + step - 1) / step - pieces;
    const interval part{static_cast<std::uint32_t>(last.begin + keep * step), last.end};
    taken.insert(part);
    last.end = part.begin;
    if (last.empty()) waiting_.pop_back();
  }
  given_back_.emplace(request, std::move(taken));
}

void remote_participant::seal(std::uint64_t request, const interval_set& revoked)
{
  host_.send(seal_job{job_, request, revoked.intervals()}, nullptr);
}

void remote_participant::acknowledge(std::uint64_t number)
{
  losses_ = 0;
  reopen_after_s_ = 0;
  host_.send(acknowledge_seal{job_, number}, nullptr);
}

// What the node says ----------------------------------------------------------------------------------------------

void remote_participant::on(const taken_back& m)
{
  const auto ranges = set_of(m.ranges);
  if (!ranges) return cut("it gave subtasks back twice");
  boss_.taken_back(device_, m.request, *ranges);
}

void remote_participant::on(const job_sealed& m, payload&& bytes)
{
  auto fold_set = set_of(m.fold_set);
  auto dropped = set_of(m.dropped);
  if (!fold_set || !dropped) return cut("a partial's fold-set overlaps itself");
  std::unique_ptr<arrived_values> values;
  work_ = m.work;
  if (!fold_set->empty()) {
    last_sealed_ = world_.now();
    note_work(m.work.busy_s);
    auto unpacked = host_.unpack(*fold_set, std::move(bytes));
    if (!unpacked.has_value()) return host_.cut(unpacked.error());
    values = std::move(unpacked).value();
  }
  boss_.sealed(device_, {m.seal, m.answers, m.counter, m.dry, std::move(*fold_set), std::move(*dropped)},
               std::move(values));
}

void remote_participant::on(const backup_done& m, payload&& bytes)
{
  if (m.range.begin >= m.range.end) return cut("a backup of nothing");
  auto values = host_.unpack(interval_set{m.range}, std::move(bytes));
  if (!values.has_value()) return host_.cut(values.error());
  boss_.backed_up(device_, m.range, std::move(values).value());
}

void remote_participant::on(const attempt_failed& m)
{
  if (m.kernel && !m.staged) return boss_.kernel_failed(m.why);
  boss_.failed(device_, m.range, m.staged, m.why);
}

void remote_participant::on(const job_progress& m)
{
  if (m.done > done_) {
    done_ = m.done;
    note_work(0);
  }
  std::uint64_t waiting = 0;
  for (const auto& range : waiting_) waiting += range.size();
  if (given_back_) waiting += given_back_->second.count();
  boss_.progress(device_, m.granted + waiting, m.done, m.unstarted + waiting);
}

void remote_participant::cut(const char* what)
{
  host_.cut({make_error_code(errc::protocol_error), std::string{what}});
}

// Time ------------------------------------------------------------------------------------------------------------

std::optional<seconds> remote_participant::next_tick() const
{
  constexpr double soon_s = 0.0002;
  constexpr double look_again_s = 0.005;
  if (state_ == state::reopening) return reopen_at_;
  if (given_back_) return world_.now();
  if (!waiting_.empty()) return seconds{world_.now().count + (may_send() ? soon_s : look_again_s)};
  return std::nullopt;
}

void remote_participant::tick()
{
  if (state_ == state::reopening && world_.now().count >= reopen_at_.count) return open();
  if (planted(bug::waiting_forgotten)) given_back_.reset();
  if (given_back_) {
    const auto told = std::exchange(given_back_, std::nullopt);
    boss_.taken_back(device_, told->first, told->second);
  }
  if (state_ == state::joined) send_waiting();
}

}  // namespace fastgpu::inline v0::detail

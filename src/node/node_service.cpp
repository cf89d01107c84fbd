#include "node/node_service.hpp"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

#include "detail/planted.hpp"

namespace fastgpu::inline v0::detail {

node_service::node_service(environment& world, node_host& host, node_service_options options)
    : world_{world}, host_{host}, options_{options}
{
}

node_service::~node_service() = default;

void node_service::opened() { host_.send(describe_node{host_.devices(), draining_}, nullptr); }

void node_service::received(message&& what, payload&& bytes)
{
  std::visit(
      [&]<class M>(M& m) {
        if constexpr (std::is_same_v<M, job_data_piece>) {
          on(m, std::move(bytes));
        } else if constexpr (std::is_same_v<M, grant_ranges>) {
          on(m);
        } else if constexpr (std::is_same_v<M, ask_description>) {
          host_.send(describe_node{host_.devices(), draining_}, nullptr);
        } else if constexpr (std::is_same_v<M, ask_to_drain>) {
          host_.drain_asked();
        } else if constexpr (requires { on(std::as_const(m)); }) {
          on(std::as_const(m));
        } else {
          breach("it sent what only nodes send");
        }
      },
      what);
}

node_service::job* node_service::find(job_number number)
{
  const auto at = jobs_.find(number);
  return at == jobs_.end() ? nullptr : &at->second;  // closed meanwhile, perhaps: then nothing is said of it any more
}

void node_service::breach(const char* what) { host_.breach({make_error_code(errc::protocol_error), std::string{what}}); }

// Jobs ------------------------------------------------------------------------------------------------------------

void node_service::on(const open_job& m)
{
  if (m.job <= newest_) return breach("it opened a job under a number that was used before");
  newest_ = m.job;
  if (draining_) {
    return host_.send(job_refused{m.job, {make_error_code(errc::no_usable_device), "the node drains"}}, nullptr);
  }
  if (jobs_.size() >= options_.jobs_max) {
    return host_.send(job_refused{m.job, {make_error_code(errc::refused),
                                          "the node takes " + std::to_string(options_.jobs_max) + " jobs of one at a time"}},
                      nullptr);
  }
  auto opened = host_.open(m, *this);
  if (opened.executor == nullptr) return host_.send(job_refused{m.job, std::move(opened.why)}, nullptr);
  auto& j = jobs_[m.job];
  j.executor = std::move(opened.executor);
  j.data_bytes = opened.data_bytes;
  j.seal_every_s = m.seal_every_s;
  j.next_seal = seconds{world_.now().count + m.seal_every_s};
  host_.send(job_opened{m.job, opened.workers, opened.subtasks_per_second, std::move(opened.missing),
                        std::move(opened.numeric_classes)},
             nullptr);
}

void node_service::on(job_data_piece& m, payload&& bytes)
{
  const auto number = m.job;
  auto* j = find(number);
  if (j == nullptr) return;
  if (const auto why = j->executor->store(m, std::move(bytes))) return host_.breach(*why);
  ++j->pieces;
  start_waiting(number, *j);
  if (draining_) look(number);
}

void node_service::on(grant_ranges& m)
{
  auto* j = find(m.job);
  if (j == nullptr) return;
  for (const auto& range : m.ranges) {
    if (range.empty() || !(m.staged ? j->staged : j->held).try_insert(range)) {
      return breach("it granted subtasks twice, or none");
    }
    if (!m.staged) j->granted += range.size();
  }
  // The same may be granted and staged: a backup is not called back when its primary is lost. But both write the same
  // memory, so they run one after the other.
  waiting_grant after_backup{m.pieces, false, {}};
  if (!m.staged && !j->staged.empty()) {
    for (const auto& range : std::exchange(m.ranges, {})) {
      const auto later = j->staged.within(range);
      interval_set now{range};
      now.erase(later);
      for (const auto& part : now.intervals()) m.ranges.push_back(part);
      for (const auto& part : later.intervals()) after_backup.ranges.push_back(part);
    }
  }
  if (!m.ranges.empty()) start_or_wait(m.job, *j, {m.pieces, m.staged, std::move(m.ranges)});
  if (!after_backup.ranges.empty()) start_or_wait(m.job, *j, std::move(after_backup));
  if (draining_) look(m.job);
}

void node_service::start_or_wait(job_number number, job& j, waiting_grant&& g)
{
  const bool data = g.pieces <= j.pieces || planted(bug::early_start);
  const bool place = g.staged || planted(bug::shared_staging) ||
                     std::none_of(g.ranges.begin(), g.ranges.end(),
                                  [&](const interval& range) { return j.staged.intersects(range); });
  if (data && place) {
    start(number, j, g);
  } else {
    j.waiting.push_back(std::move(g));
  }
}

void node_service::start_waiting(job_number number, job& j)
{
  for (auto& g : std::exchange(j.waiting, {})) start_or_wait(number, j, std::move(g));
}

void node_service::start(job_number number, job& j, const waiting_grant& g)
{
  for (const auto& range : g.ranges) {
    if (!j.executor->may_run(range)) return breach("it granted what is no range of the job, or has no data yet");
  }
  if (g.staged) {
    for (const auto& range : g.ranges) j.executor->stage(range);
    return;
  }
  j.told_hungry = false;
  j.executor->grant(g.ranges);
  if (!j.next_progress) {
    j.progress_after_s = options_.first_progress.count;
    j.next_progress = seconds{world_.now().count + j.progress_after_s};
  }
  if (draining_) give_back(number, j, 0, ~std::uint64_t{0});
}

void node_service::on(const take_back& m)
{
  auto* j = find(m.job);
  if (j == nullptr) return;
  give_back(m.job, *j, m.request, m.subtasks);
  look(m.job);  // what was given back may have been all that a seal waited for
}

void node_service::give_back(job_number number, job& j, std::uint32_t request, std::uint64_t subtasks)
{
  interval_set ranges;
  while (!j.waiting.empty() && ranges.count() < subtasks) {  // first what waits for its data
    auto& g = j.waiting.back();
    if (g.staged) break;
    for (const auto& range : g.ranges) ranges.insert(range);
    j.waiting.pop_back();
  }
  if (ranges.count() < subtasks) ranges.insert(j.executor->take_back(subtasks - ranges.count()));
  j.held.erase(ranges);
  j.granted -= ranges.count();
  if (planted(bug::runs_what_it_gave)) j.executor->grant(ranges.intervals());
  if (ranges.empty() && request == 0) return;
  host_.send(taken_back{number, request, ranges.intervals()}, nullptr);
  check_drained();
}

void node_service::on(const seal_job& m)
{
  auto* j = find(m.job);
  if (j == nullptr) return;
  interval_set revoked;
  for (const auto& range : m.revoked) revoked.insert(range);
  if (!planted(bug::revoke_ignored)) j->executor->revoke(revoked);
  j->asked = std::max(j->asked, m.request);
  answer(m.job, *j);
}

/// One seal answers all requests before it. A coordinator that acknowledges none is not sent more and more of them.
bool node_service::answer(job_number number, job& j)
{
  if (j.asked == 0 || j.seals - j.acknowledged >= options_.answers_in_flight) return false;
  seal(number, j, std::exchange(j.asked, 0));
  return true;
}

void node_service::on(const acknowledge_seal& m)
{
  auto* j = find(m.job);
  if (j == nullptr) return;
  if (m.seal > j->seals) return breach("it acknowledged a seal that was not sent");
  j->acknowledged = std::max(j->acknowledged, m.seal);
  if (!answer(m.job, *j)) look(m.job);
  check_drained();
}

void node_service::on(const close_job& m)
{
  jobs_.erase(m.job);
  check_drained();
}

// What executors say ----------------------------------------------------------------------------------------------

void node_service::look(job_number number)
{
  auto* j = find(number);
  if (j == nullptr) return;
  const auto state = j->executor->state();
  if (state.finished) {
    const auto why = j->executor->why();
    const bool kernel = why.code == errc::kernel_failed;
    std::vector<interval> blamed;
    if (why.subtask >= 0) blamed.push_back({static_cast<std::uint32_t>(why.subtask), static_cast<std::uint32_t>(why.subtask) + 1});
    if (kernel) {
      host_.send(attempt_failed{number, blamed.empty() ? interval{} : blamed[0], true, false, why}, nullptr);
    } else {
      host_.send(partial_lost{number, blamed, why}, nullptr);
    }
    jobs_.erase(number);
    return check_drained();
  }
  if (j->seals - j->acknowledged < options_.seals_in_flight && state.sealed) {
    const bool dry = state.held == 0 && j->waiting.empty();
    if (dry || (j->seal_every_s > 0 && world_.now().count >= j->next_seal.count)) return seal(number, *j, 0);
  }
  if (!j->told_hungry && state.held > 0 && state.unstarted == 0 && j->waiting.empty()) {
    j->told_hungry = true;
    tell_progress(number, *j);
  }
}

void node_service::seal(job_number number, job& j, std::uint64_t answers)
{
  auto sealed = j.executor->take_sealed();
  job_sealed m;
  m.job = number;
  m.seal = ++j.seals;
  m.answers = answers;
  m.counter = sealed.counter;
  m.fold_set = sealed.fold_set.intervals();
  m.dropped = sealed.dropped.intervals();
  j.held.erase(sealed.fold_set);
  j.held.erase(sealed.dropped);
  m.dry = j.held.empty();
  m.work = j.executor->state().work;
  j.next_seal = seconds{world_.now().count + j.seal_every_s};
  // Always with a payload: only such messages keep their order among each other, and seals must.
  if (sealed.values == nullptr) sealed.values = std::make_shared<const payload>();
  host_.send(std::move(m), std::move(sealed.values));
  check_drained();
}

void node_service::backup_done(job_number number, interval range, std::shared_ptr<const payload> values)
{
  auto* j = find(number);
  if (j == nullptr) return;
  j->staged.erase(range);
  host_.send(fastgpu::detail::backup_done{number, range}, std::move(values));
  start_waiting(number, *j);
}

void node_service::backup_failed(job_number number, interval range, const failure& why)
{
  auto* j = find(number);
  if (j == nullptr) return;
  j->staged.erase(range);
  host_.send(attempt_failed{number, range, why.code == errc::kernel_failed, true, why}, nullptr);
  start_waiting(number, *j);
}

std::uint64_t node_service::data_bytes() const noexcept
{
  std::uint64_t bytes = 0;
  for (const auto& [number, j] : jobs_) bytes += j.data_bytes;
  return bytes;
}

std::uint64_t node_service::unstarted(const job& j) const
{
  auto n = j.executor->state().unstarted;
  for (const auto& g : j.waiting) {
    if (g.staged) continue;
    for (const auto& range : g.ranges) n += range.size();
  }
  return n;
}

void node_service::tell_progress(job_number number, job& j)
{
  host_.send(job_progress{number, j.granted, std::min(j.executor->state().done, j.granted), unstarted(j)}, nullptr);
}

// Leaving and time ------------------------------------------------------------------------------------------------

void node_service::drain()
{
  if (std::exchange(draining_, true)) return;
  host_.send(node_drains{}, nullptr);
  for (auto& [number, j] : jobs_) give_back(number, j, 0, ~std::uint64_t{0});
  look_at_all();
  check_drained();
}

/// Once nothing is held and everything is acknowledged, the coordinator needs this node no more.
void node_service::check_drained()
{
  if (!draining_ || told_drained_) return;
  const auto idle = [](const auto& entry) {
    return entry.second.held.empty() && entry.second.acknowledged == entry.second.seals;
  };
  if (!std::all_of(jobs_.begin(), jobs_.end(), idle)) return;
  told_drained_ = true;
  host_.drained();
}

std::optional<seconds> node_service::next_tick() const
{
  std::optional<seconds> next;
  const auto sooner = [&](seconds at) {
    if (!next || at.count < next->count) next = at;
  };
  for (const auto& [number, j] : jobs_) {
    if (j.next_progress) sooner(*j.next_progress);
    if (j.seal_every_s > 0 && j.seals - j.acknowledged < options_.seals_in_flight && j.executor->state().sealed) {
      sooner(j.next_seal);
    }
  }
  return next;
}

void node_service::look_at_all()
{
  std::vector<job_number> numbers;
  for (const auto& [number, j] : jobs_) numbers.push_back(number);
  for (const auto number : numbers) look(number);  // which may end a job
}

void node_service::tick()
{
  const auto now = world_.now().count;
  look_at_all();
  for (auto& [number, j] : jobs_) {
    if (!j.next_progress || j.next_progress->count > now) continue;
    const auto state = j.executor->state();
    if (state.held == 0) {
      j.next_progress.reset();  // until the next grant
      continue;
    }
    tell_progress(number, j);
    j.progress_after_s = std::min(2 * j.progress_after_s, options_.progress_every.count);
    j.next_progress = seconds{now + j.progress_after_s};
  }
}

}  // namespace fastgpu::inline v0::detail

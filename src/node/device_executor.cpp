#include "node/device_executor.hpp"

#include <atomic>
#include <utility>

#include "execute/in_flight_board.hpp"
#include "node/sealed_values.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr seconds cancel_grace{2.0};

work_report report_of(const granted_state& s) { return {s.busy_s, s.batches, s.steals, s.retries}; }

}  // namespace

/// Stays until its run has ended, however early the watched_run goes.
class watched_run::watch final : public run_grantor, public std::enable_shared_from_this<watch> {
 public:
  watch(network& on, std::function<void()> call) : on_{on}, call_{std::move(call)} { on_.enter(); }
  ~watch() { on_.leave(); }

  void look() noexcept override
  {
    if (!posted_.exchange(true)) {
      on_.post([self = shared_from_this()] {
        self->posted_.store(false);
        if (self->call_) self->call_();
      });
    }
  }

  void stop() { call_ = nullptr; }

  /// The run is over. Here it may be freed.
  void end()
  {
    run = {};
    if (call_) call_();
    const auto self = std::move(until_finished);
  }

  std::shared_ptr<watch> until_finished;  // itself; this and the next are the network's
  ref<run_state> run;

 private:
  network& on_;
  std::function<void()> call_;  // the network's thread
  std::atomic<bool> posted_ = false;
};

watched_run::watched_run(network& on, const ref<cluster_core>& core, const ref<const job_storage>& job,
                         const placement& devices, const run_options& options, fold_kind fold,
                         std::function<void()> look)
    : watch_{std::make_shared<watch>(on, std::move(look))},
      run_{new run_state{core, job, devices, options, fold, watch_.get()}}
{
  run_->start(devices, 0);
  watch_->until_finished = watch_;
  watch_->run = run_;
  struct ending {
    network& on;
    std::shared_ptr<watch> of;
  };
  auto* context = new ending{on, watch_};
  run_->on_finished(
      [](void* raw) {
        const std::unique_ptr<ending> end{static_cast<ending*>(raw)};
        end->on.post([of = end->of] { of->end(); });
      },
      context);
  core->submit(run_);
}

bool watched_run::ended() const noexcept { return watch_->run.get() == nullptr; }

watched_run::~watched_run()
{
  watch_->stop();
  run_->finish();
}

// The executor ----------------------------------------------------------------------------------------------------

device_executor::device_executor(network& on, ref<cluster_core> core, ref<received_job> job, placement devices,
                                 run_options options, job_number number, executor_owner& owner)
    : on_{on},
      core_{std::move(core)},
      job_{std::move(job)},
      devices_{std::move(devices)},
      options_{options},
      number_{number},
      owner_{owner}
{
}

device_executor::~device_executor()
{
  // What is under way is of no use any more; a kernel that hangs would keep the device for ever.
  if (auto* board = board_of_this_worker()) board->limit(number_, cancel_grace);
}

std::optional<failure> device_executor::store(const job_data_piece& piece, payload&& bytes)
{
  return job_->store_piece(piece, bytes);
}

bool device_executor::may_run(interval range) const { return is_range_of(job_->data, range) && job_->missing().empty(); }

void device_executor::grant(std::span<const interval> ranges)
{
  if (!run_) {
    run_ = std::make_unique<watched_run>(on_, core_, job_, devices_, options_, job_->fold(),
                                         [this] { owner_.look(number_); });
    (*run_)->show_on(board_of_this_worker(), number_);
  }
  (*run_)->accept_grant(ranges);
}

interval_set device_executor::take_back(std::uint64_t subtasks)
{
  return run_ ? (*run_)->take_back(subtasks) : interval_set{};
}

void device_executor::revoke(const interval_set& part)
{
  if (run_) (*run_)->revoke(part);
}

sealed_payload device_executor::pack(sealed_part&& part)
{
  sealed_payload sealed;
  sealed.dropped = std::move(part.dropped);
  if (part.values != nullptr) {
    sealed.fold_set = part.values->fold_set();
    sealed.counter = sealed.fold_set.count();
    sealed.values = std::make_shared<const payload>(pack_partial(job_->data, *part.values));
    job_->give_back(sealed.fold_set);
  }
  return sealed;
}

sealed_payload device_executor::take_sealed() { return run_ ? pack((*run_)->take_sealed()) : sealed_payload{}; }

executor_state device_executor::state() const
{
  if (!run_) return {.work = work_of_backups_};
  const auto s = (*run_)->state();
  auto work = report_of(s);
  work += work_of_backups_;
  return {s.held, s.unstarted, s.done, s.sealed > 0, run_->ended(), work};
}

failure device_executor::why() const
{
  const auto& run = **run_;  // which has finished
  return run_->ended() ? run.summary().why : failure{make_error_code(errc::device_lost), "the node's devices failed"};
}

// Backups: each a run of its own, so that its value stays apart ---------------------------------------------------

void device_executor::stage(interval range)
{
  auto options = options_;
  options.priority = options_.priority + 1;
  const auto begin = range.begin;
  auto& slot = backups_[begin];
  slot = {range, std::make_unique<watched_run>(on_, core_, job_, devices_, options, job_->fold(),
                                               [this, begin] { look_at_backup(begin); })};
  (*slot.second)->show_on(board_of_this_worker(), number_);
  const interval all[] = {range};
  (*slot.second)->accept_grant(all);
}

void device_executor::look_at_backup(std::uint32_t begin)
{
  const auto at = backups_.find(begin);
  if (at == backups_.end()) return;
  auto& run = **at->second.second;
  const auto range = at->second.first;
  const auto state = run.state();
  if (state.finished) {
    if (!at->second.second->ended()) return;  // its end is told once more, with the reason
    const auto why = run.summary().why;
    backups_.erase(at);
    return owner_.backup_failed(number_, range, why);
  }
  if (state.sealed < range.size()) return;
  work_of_backups_ += report_of(state);
  auto sealed = pack(run.take_sealed());
  backups_.erase(at);
  owner_.backup_done(number_, range, std::move(sealed.values));
}

}  // namespace fastgpu::inline v0::detail

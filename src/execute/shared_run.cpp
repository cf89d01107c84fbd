#include "execute/shared_run.hpp"

#include <algorithm>
#include <utility>

#include <gsl/assert>

#include "execute/shared_machinery.hpp"

namespace fastgpu::inline v0::detail {

shared_run::shared_run(ref<cluster_core> core, ref<const job_storage> job, const run_options& options, fold_kind fold,
                       shared_start how, steady_clock::time_point started)
    : core_{std::move(core)},
      job_{std::move(job)},
      options_{options},
      fold_{fold},
      how_{std::move(how)},
      started_{started},
      what_{std::make_shared<shared_job>(job_, options_, fold_, how_.numeric_class, core_->memory(), core_->random(),
                                         core_->random())}
{
  auto& net = core_->directory().net();
  if (options_.deadline.count > 0) {
    const auto gone_s = std::chrono::duration<double>(steady_clock::now() - started_).count();
    deadline_ = seconds{net.now().count - gone_s + std::min(options_.deadline.count, 1e9)};
  }
  options_.deadline = {};  // kept here, for all participants
}

/// Who has seen finished() may let go while the outcome is still being told under the lock.
shared_run::~shared_run() { const std::scoped_lock lock{mutex_}; }

void shared_run::start()
{
  auto& net = core_->directory().net();
  net.run([&] {
    try {
      machinery_ = std::make_shared<shared_machinery>(*this);
      machinery_->start();
    } catch (...) {
      machinery_.reset();
      throw;
    }
  });
}

void shared_run::wait()
{
  Expects(finished() || !core_->is_worker_thread());
  std::unique_lock lock{mutex_};
  told_.wait(lock, [&] { return finished(); });
}

bool shared_run::wait_for(seconds timeout)
{
  Expects(finished() || !core_->is_worker_thread());
  std::unique_lock lock{mutex_};
  return told_.wait_for(lock, std::chrono::duration<double>{std::clamp(timeout.count, 0.0, 1e9)},
                        [&] { return finished(); });
}

void shared_run::cancel() noexcept
{
  std::weak_ptr<shared_machinery> behind;
  {
    const std::scoped_lock lock{mutex_};
    behind = machinery_;
  }
  try {
    core_->directory().net().post([behind] {
      if (const auto m = behind.lock()) m->end(run_phase::cancelled, failure_of(errc::cancelled, "the run was cancelled"));
    });
  } catch (const std::bad_alloc&) {  // it goes on to its end, then
  }
}

progress shared_run::current_progress() const
{
  progress p;
  p.total = job_->data.shape.count;
  p.done = finished() ? summary_.committed : std::min<std::uint64_t>(done_.load(std::memory_order_relaxed), p.total);
  p.elapsed = finished() ? seconds{summary_.wall_s}
                         : seconds{std::chrono::duration<double>(steady_clock::now() - started_).count()};
  if (finished()) {
    p.remaining = seconds{0.0};
  } else if (p.done > resumed_) {
    p.remaining =
        seconds{p.elapsed.count * static_cast<double>(p.total - p.done) / static_cast<double>(p.done - resumed_)};
  }
  return p;
}

void shared_run::on_finished(void (*call)(void*), void* context)
{
  {
    const std::scoped_lock lock{mutex_};
    if (!finished()) {
      callbacks_.emplace_back(call, context);
      return;
    }
  }
  call(context);
}

}  // namespace fastgpu::inline v0::detail

#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <gsl/assert>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/ref.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/observe/summary.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// The run: an execution under way, and what comes of it.

namespace fastgpu::inline v0 {

/// How far a run is.
struct progress {
  std::uint64_t done = 0;   ///< Subtasks computed; may fall when a device is lost.
  std::uint64_t total = 0;
  seconds elapsed{};
  seconds remaining{-1.0};  ///< Estimate; negative while there is none.
};

namespace detail {

/// A run as code sees it that does not know its value's type.
class FASTGPU_API run_core : public ref_counted {
 public:
  virtual void wait() = 0;  ///< The calling thread may work on the run; see cluster_options::callers_work.
  [[nodiscard]] virtual bool wait_for(seconds timeout) = 0;
  virtual void cancel() noexcept = 0;
  [[nodiscard]] virtual progress current_progress() const = 0;
  [[nodiscard]] virtual bool finished() const noexcept = 0;
  /// Calls `call(context)` once, when the outcome is there: on the thread that delivers it, which is one of the
  /// library's or one inside wait() or cancel(), or at once on this one if it is there already. It must be brief, and
  /// must not drop the last reference to the run.
  virtual void on_finished(void (*call)(void*), void* context) = 0;
  /// @pre finished()
  [[nodiscard]] virtual const run_summary& summary() const noexcept = 0;
  [[nodiscard]] virtual const void* value() const noexcept = 0;  ///< [width] values. @pre outcome done
  [[nodiscard]] virtual std::int64_t width() const noexcept = 0;
  [[nodiscard]] virtual std::string trace_json() const = 0;
};

template <class V>
V copy_value(const void* from)
{
  alignas(V) std::byte bytes[sizeof(V)];
  std::memcpy(bytes, from, sizeof(V));
  return *std::launder(reinterpret_cast<V*>(bytes));
}

template <class Value>
struct value_reader {
  static Value read(const run_core& run) { return copy_value<Value>(run.value()); }
};
template <class T>
struct value_reader<std::vector<T>> {
  static std::vector<T> read(const run_core& run)
  {
    const auto* first = static_cast<const T*>(run.value());
    return {first, first + run.width()};
  }
};

}  // namespace detail

/// What a finished run gave, with its summary. Converts to the value.
template <class T>
class value {
 public:
  value(T v, run_summary s) : value_{std::move(v)}, summary_{std::move(s)} {}

  /// A copy; get() does without.
  operator T() const { return value_; }  // NOLINT: a value is its value
  [[nodiscard]] const T& get() const& noexcept { return value_; }
  [[nodiscard]] T get() && { return std::move(value_); }
  const T& operator*() const noexcept { return value_; }
  const T* operator->() const noexcept { return &value_; }
  [[nodiscard]] const run_summary& summary() const noexcept { return summary_; }

 private:
  T value_;
  run_summary summary_;
};

/// Of a job that reduces nothing.
template <>
class value<void> {
 public:
  explicit value(run_summary s) : summary_{std::move(s)} {}
  [[nodiscard]] const run_summary& summary() const noexcept { return summary_; }

 private:
  run_summary summary_;
};

/// How a run ended, as a value: done, failed, cancelled or past its deadline.
template <class T>
class [[nodiscard]] outcome {
 public:
  explicit outcome(const detail::run_core& run) : summary_{run.summary()}
  {
    if constexpr (!std::is_void_v<T>) {
      if (summary_.outcome == outcome_kind::done) value_.emplace(detail::value_reader<T>::read(run));
    }
  }

  [[nodiscard]] outcome_kind kind() const noexcept { return summary_.outcome; }
  [[nodiscard]] explicit operator bool() const noexcept { return kind() == outcome_kind::done; }
  [[nodiscard]] const run_summary& summary() const noexcept { return summary_; }

  /// @throws error  errc::cancelled, errc::deadline_exceeded, or the failure of a run that is not done.
  [[nodiscard]] fastgpu::value<T> get() &&
  {
    if (!*this) throw error{summary_.why};
    if constexpr (std::is_void_v<T>) {
      return fastgpu::value<T>{std::move(summary_)};
    } else {
      return {std::move(*value_), std::move(summary_)};
    }
  }

 private:
  using stored = std::conditional_t<std::is_void_v<T>, char, T>;
  run_summary summary_;
  std::optional<stored> value_;
};

/// The execution of a job under way. Destroying it cancels it and waits.
///
/// @par Threads  progress(), cancel() and finished() from any thread; the rest from one at a time.
template <class T>
class [[nodiscard]] run {
 public:
  using value_type = T;

  explicit run(detail::ref<detail::run_core> core) : core_{std::move(core)} {}
  run(run&& other) noexcept : core_{std::exchange(other.core_, {})} {}
  run& operator=(run&& other) noexcept
  {
    if (this != &other) {
      stop();
      core_ = std::exchange(other.core_, {});
    }
    return *this;
  }
  ~run() { stop(); }

  [[nodiscard]] fastgpu::progress progress() const { return core_->current_progress(); }

  /// Asks the run to end: no new batches. A batch under way is waited for, since it may write the user's memory.
  void cancel() noexcept { core_->cancel(); }

  [[nodiscard]] bool finished() const noexcept { return core_->finished(); }

  /// Waits at most `timeout`. @return finished()
  [[nodiscard]] bool wait_for(seconds timeout) { return core_->wait_for(timeout); }

  /// Waits for the outcome. The calling thread may run this run's kernels meanwhile; see
  /// cluster_options::callers_work.
  fastgpu::outcome<T> wait()
  {
    core_->wait();
    return fastgpu::outcome<T>{*core_};
  }

  /// What happened when and where, as Chrome trace JSON (open it in Perfetto). Empty unless
  /// run_options::trace was set. @pre finished()
  [[nodiscard]] std::string trace_json() const { return core_->trace_json(); }

  [[nodiscard]] const detail::ref<detail::run_core>& core() const noexcept { return core_; }

 private:
  void stop() noexcept
  {
    if (!core_ || core_->finished()) return;
    core_->cancel();
    core_->wait();
  }

  detail::ref<detail::run_core> core_;
};

}  // namespace fastgpu::inline v0

#pragma once

#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <gsl/assert>

#include <fastgpu/asio/detail/operation.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/run.hpp>

/// @file
/// Aggregate stage, asynchronous: from a run to its value.

namespace fastgpu::inline v0 {

/// A value<T> as completion handlers take it: empty beside an exception. Converts to the value.
///
/// Why not value<T>: a handler gets both arguments of void(std::exception_ptr, ...), whatever happened, and there is no
/// value<T> without a value. Zero in its place would be a wrong answer to a callback that forgets to look at the first;
/// to read what is not there stops the program. use_future and use_awaitable give it only with a value inside.
template <class T>
class async_value {
 public:
  async_value() = default;
  /// @pre  of.finished()
  explicit async_value(const detail::run_core& of) : summary_{of.summary()}
  {
    if (summary_.outcome == outcome_kind::done) value_.emplace(detail::value_reader<T>::read(of));
  }
  explicit async_value(run_summary of_failed) : summary_{std::move(of_failed)} {}

  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }

  operator T() const& { return get(); }               // NOLINT: a value is its value
  operator T() && { return std::move(*this).get(); }  // NOLINT
  /// @pre  has_value(), as for all that gives the value.
  [[nodiscard]] const T& get() const& noexcept
  {
    Expects(has_value());
    return *value_;
  }
  [[nodiscard]] T get() &&
  {
    Expects(has_value());
    return std::move(*value_);
  }
  const T& operator*() const noexcept { return get(); }
  const T* operator->() const noexcept { return &get(); }

  /// Of a run that failed, too. Of one that could not be started: outcome and why, and nothing else.
  [[nodiscard]] const run_summary& summary() const noexcept { return summary_; }

 private:
  std::optional<T> value_;
  run_summary summary_;
};

/// Of a job that reduces nothing.
template <>
class async_value<void> {
 public:
  async_value() = default;
  explicit async_value(const detail::run_core& of) : summary_{of.summary()} {}
  explicit async_value(run_summary of_failed) : summary_{std::move(of_failed)} {}
  [[nodiscard]] const run_summary& summary() const noexcept { return summary_; }

 private:
  run_summary summary_;
};

namespace detail {

/// Of what could not be started, or not be delivered.
inline run_summary summary_of(const std::exception_ptr& failed)
{
  run_summary summary;
  summary.outcome = outcome_kind::failed;
  try {
    std::rethrow_exception(failed);
  } catch (const error& e) {
    summary.why = e.why();
  } catch (const std::exception& e) {
    summary.why.detail = e.what();  // not the library's, so without a code of its own
  } catch (...) {
    summary.why.detail = "an exception that is no std::exception";
  }
  return summary;
}

struct deliver_value {
  template <class Handler, class T>
  static void deliver(Handler handler, run<T> of)
  {
    std::exception_ptr failed;
    async_value<T> result;
    try {
      result = async_value<T>{*of.core()};
      if (result.summary().outcome != outcome_kind::done) failed = std::make_exception_ptr(error{result.summary().why});
    } catch (...) {
      failed = std::current_exception();
      result = async_value<T>{summary_of(failed)};
    }
    { const auto let_go = std::move(of); }  // with the data that were moved into its job
    std::move(handler)(std::move(failed), std::move(result));
  }
};

template <class T>
using value_signature = void(std::exception_ptr, async_value<T>);

}  // namespace detail

/// Completes with the value of `of`: void(std::exception_ptr, async_value<T>), so that use_future and use_awaitable
/// throw what aggregate() throws and else give the value. To have the end of a run as a value: async_wait().
///
/// Executors, cancellation and lifetimes are those of async_wait().
///
/// @throws error  By way of the token, never from this call: the run's failure; errc::cancelled, also after
///                per-operation cancellation; errc::deadline_exceeded.
template <detail::run_to_wait_for Run, class Token>
decltype(auto) async_aggregate(Run&& of, Token&& token)
{
  using T = detail::value_type_of<Run>;
  return boost::asio::async_initiate<Token, detail::value_signature<T>>(
      detail::initiate_wait<detail::deliver_value, T>{}, token, detail::take_part(std::forward<Run>(of)));
}

/// The same by way of `io`, an executor: there the handler is called if it has none of its own.
template <class Executor, detail::run_to_wait_for Run, class Token>
decltype(auto) async_aggregate(const Executor& io, Run&& of, Token&& token)
{
  using T = detail::value_type_of<Run>;
  return boost::asio::async_initiate<Token, detail::value_signature<T>>(
      detail::initiate_wait<detail::deliver_value, T>{}, token, detail::take_part(std::forward<Run>(of)), io);
}

}  // namespace fastgpu::inline v0

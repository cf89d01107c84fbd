#pragma once

#include <utility>

#include <boost/asio/async_result.hpp>

#include <fastgpu/asio/detail/operation.hpp>
#include <fastgpu/run.hpp>

/// @file
/// Waiting for a run without a thread that waits.

namespace fastgpu::inline v0 {

namespace detail {

struct deliver_outcome {
  template <class Handler, class T>
  static void deliver(Handler handler, run<T> of)
  {
    auto result = outcome<T>{*of.core()};
    { const auto let_go = std::move(of); }  // with the data that were moved into its job
    std::move(handler)(std::move(result));
  }
};

}  // namespace detail

/// Completes when `of` has ended, however it did: void(outcome<T>). What there is to throw, outcome::get() throws.
///
/// @param of     An rvalue is moved in. An lvalue stays the caller's, for progress(), cancel() and trace_json(); it may
///               be destroyed at any time, which cancels the run.
/// @param token  use_future, use_awaitable, a callback, or any other completion token.
/// @par Executors     The handler is called on its associated executor, neither inside this call nor on a thread of the
///                    library; without one, on boost::asio::system_executor, which starts threads of its own.
///                    boost::asio::bind_executor() says another. Until then its context does not run out of work.
/// @par Cancellation  Per-operation cancellation of any type cancels the run. The operation completes all the same, as
///                    cancelled or as it was just about to.
/// @par Lifetimes     Data that the job borrows must live until the handler is called. To destroy the context before
///                    that is allowed: it cancels the run and waits, as ~run does, and the handler is not called.
template <detail::run_to_wait_for Run, class Token>
decltype(auto) async_wait(Run&& of, Token&& token)
{
  using T = detail::value_type_of<Run>;
  return boost::asio::async_initiate<Token, void(outcome<T>)>(
      detail::initiate_wait<detail::deliver_outcome, T>{}, token, detail::take_part(std::forward<Run>(of)));
}

/// The same by way of `io`, an executor: there the handler is called if it has none of its own.
template <class Executor, detail::run_to_wait_for Run, class Token>
decltype(auto) async_wait(const Executor& io, Run&& of, Token&& token)
{
  using T = detail::value_type_of<Run>;
  return boost::asio::async_initiate<Token, void(outcome<T>)>(
      detail::initiate_wait<detail::deliver_outcome, T>{}, token, detail::take_part(std::forward<Run>(of)), io);
}

}  // namespace fastgpu::inline v0

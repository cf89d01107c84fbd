#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include <fastgpu/asio/aggregate.hpp>
#include <fastgpu/asio/detail/operation.hpp>
#include <fastgpu/functions.hpp>

/// @file
/// Functions of an index, asynchronous: those of fastgpu/functions.hpp with a completion token behind the arguments.
///
/// All complete with void(std::exception_ptr, async_value<T>) and have the executors and the cancellation of
/// async_wait(). None throws what its run or its start throws: that too comes by way of the token.
///
/// Lifetimes  Kernels, operations and options are copied in the call, rvalue data moved in. Lvalue data is borrowed
///            until the handler is called, outputs are always. The cluster must be there when the operation starts: in
///            this call, or later for a token that is lazy (with use_awaitable at co_await, with deferred when the
///            result is called); after that the run keeps alive what it needs of it.

namespace fastgpu::inline v0 {

namespace detail {

template <class Handler, class T>
struct refused_start {
  Handler handler;
  std::exception_ptr failed;
  async_value<T> result;
  void operator()() && { std::move(handler)(std::move(failed), std::move(result)); }
};

/// Starts a run by `start()` and waits for it; an exception of start() is delivered like one of the run.
struct initiate_start {
  template <class Handler, class Start>
  void operator()(Handler&& handler, Start start) const
  {
    using run_type = std::invoke_result_t<Start&>;
    using T = typename run_type::value_type;
    std::optional<run_type> started;
    std::exception_ptr failed;
    try {
      started.emplace(start());
    } catch (...) {
      failed = std::current_exception();
    }
    if (started) {
      initiate_wait<deliver_value, T>{}(std::forward<Handler>(handler), std::move(*started));
      return;
    }
    const auto executor = boost::asio::get_associated_executor(handler);
    const auto allocator = boost::asio::get_associated_allocator(handler);
    auto result = async_value<T>{summary_of(failed)};
    using refused = refused_start<std::decay_t<Handler>, T>;
    boost::asio::post(executor, bound_function{refused{std::forward<Handler>(handler), std::move(failed),
                                                       std::move(result)}, executor, allocator});
  }
};

template <class Start, class Token>
decltype(auto) async_start(Start start, Token&& token)
{
  using T = typename std::invoke_result_t<Start&>::value_type;
  return boost::asio::async_initiate<Token, value_signature<T>>(initiate_start{}, token, std::move(start));
}

/// for_each() with the arguments `I` of `all`, and the token behind them.
template <class Over, class F, class All, std::size_t... I>
decltype(auto) async_for_each_of(cluster& on, const run_options& options, const Over& over, F f, All all,
                                 std::index_sequence<I...>)
{
  std::tuple<std::decay_t<std::tuple_element_t<I, All>>...> args{std::get<I>(std::move(all))...};
  return async_start(
      [&on, options, over, f = std::move(f), args = std::move(args)]() mutable {
        const auto make = [&](auto&... each) { return make_job(over, std::move(f), std::move(each)...); };
        return execute(on, std::apply(make, args), options);
      },
      std::get<sizeof...(I)>(std::move(all)));
}

}  // namespace detail

/// op(f(0), f(1), ..., f(n - 1)); see reduce().
template <class Over, class F, class Op, class Token>
decltype(auto) async_reduce(cluster& on, const Over& over, F f, Op op, const run_options& options, Token&& token)
{
  return detail::async_start(
      [&on, over, f = std::move(f), op, options]() mutable {
        return execute(on, make_job(over, std::move(f), reduced(op)), options);
      },
      std::forward<Token>(token));
}
template <class Over, class F, class Op, class Token>
decltype(auto) async_reduce(cluster& on, const Over& over, F f, Op op, Token&& token)
{
  return async_reduce(on, over, std::move(f), op, run_options{}, std::forward<Token>(token));
}

/// Calls f(i) for every index of `over`, in no order; see for_each().
///
/// @param args_and_token  The kernel's arguments: broadcast(), slices(), gather(), or values. The token comes last.
template <class Over, class F, class... ArgsAndToken>
  requires(sizeof...(ArgsAndToken) >= 1 && !std::is_same_v<Over, run_options> &&
           !(std::is_same_v<std::remove_cvref_t<ArgsAndToken>, run_options> || ...))
decltype(auto) async_for_each(cluster& on, const Over& over, F f, ArgsAndToken&&... args_and_token)
{
  return detail::async_for_each_of(on, run_options{}, over, std::move(f),
                                   std::forward_as_tuple(std::forward<ArgsAndToken>(args_and_token)...),
                                   std::make_index_sequence<sizeof...(ArgsAndToken) - 1>{});
}
template <class Over, class F, class... ArgsAndToken>
  requires(sizeof...(ArgsAndToken) >= 1)
decltype(auto) async_for_each(cluster& on, const run_options& options, const Over& over, F f,
                              ArgsAndToken&&... args_and_token)
{
  return detail::async_for_each_of(on, options, over, std::move(f),
                                   std::forward_as_tuple(std::forward<ArgsAndToken>(args_and_token)...),
                                   std::make_index_sequence<sizeof...(ArgsAndToken) - 1>{});
}

/// out[i] = f(i) for every element of `out`; see transform().
template <class Out, class F, class Token>
decltype(auto) async_transform(cluster& on, Out& out, F f, const run_options& options, Token&& token)
{
  const auto n = out.size();
  return detail::async_start(
      [&on, n, kernel = detail::transform_kernel<F>{std::move(f)}, to = gather(out), options]() mutable {
        return execute(on, make_job(n, std::move(kernel), std::move(to)), options);
      },
      std::forward<Token>(token));
}
template <class Out, class F, class Token>
decltype(auto) async_transform(cluster& on, Out& out, F f, Token&& token)
{
  return async_transform(on, out, std::move(f), run_options{}, std::forward<Token>(token));
}

/// op(f(data[0]), f(data[1]), ...); see map_reduce().
template <class Data, class F, class Op, class Token>
decltype(auto) async_map_reduce(cluster& on, Data&& data, F f, Op op, const run_options& options, Token&& token)
{
  const auto n = data.size();
  return detail::async_start(
      [&on, n, kernel = detail::map_kernel<F>{std::move(f)}, from = slices(std::forward<Data>(data)), op,
       options]() mutable {
        return execute(on, make_job(n, std::move(kernel), std::move(from), reduced(op)), options);
      },
      std::forward<Token>(token));
}
template <class Data, class F, class Op, class Token>
decltype(auto) async_map_reduce(cluster& on, Data&& data, F f, Op op, Token&& token)
{
  return async_map_reduce(on, std::forward<Data>(data), std::move(f), op, run_options{}, std::forward<Token>(token));
}

/// The smallest f(i) and its lowest index; see arg_min().
template <class Over, class F, class Token>
decltype(auto) async_arg_min(cluster& on, const Over& over, F f, const run_options& options, Token&& token)
{
  using result = std::remove_cvref_t<std::invoke_result_t<const F&, std::uint64_t>>;
  return async_reduce(on, over, detail::locate_kernel<result, F>{std::move(f)}, arg_minimum<result>{}, options,
                      std::forward<Token>(token));
}
template <class Over, class F, class Token>
decltype(auto) async_arg_min(cluster& on, const Over& over, F f, Token&& token)
{
  return async_arg_min(on, over, std::move(f), run_options{}, std::forward<Token>(token));
}

/// The largest f(i) and its lowest index; see arg_max().
template <class Over, class F, class Token>
decltype(auto) async_arg_max(cluster& on, const Over& over, F f, const run_options& options, Token&& token)
{
  using result = std::remove_cvref_t<std::invoke_result_t<const F&, std::uint64_t>>;
  return async_reduce(on, over, detail::locate_kernel<result, F>{std::move(f)}, arg_maximum<result>{}, options,
                      std::forward<Token>(token));
}
template <class Over, class F, class Token>
decltype(auto) async_arg_max(cluster& on, const Over& over, F f, Token&& token)
{
  return async_arg_max(on, over, std::move(f), run_options{}, std::forward<Token>(token));
}

/// How many i have bin_of(i) == b, for each b in [0, bins); see histogram().
template <class Over, class F, class Token>
decltype(auto) async_histogram(cluster& on, const Over& over, std::int64_t bins, F bin_of, const run_options& options,
                               Token&& token)
{
  return detail::async_start(
      [&on, over, bins, kernel = detail::histogram_kernel<F>{std::move(bin_of)}, options]() mutable {
        return execute(on, make_job(over, std::move(kernel), reduced(sum<std::uint64_t>{}, bins)), options);
      },
      std::forward<Token>(token));
}
template <class Over, class F, class Token>
decltype(auto) async_histogram(cluster& on, const Over& over, std::int64_t bins, F bin_of, Token&& token)
{
  return async_histogram(on, over, bins, std::move(bin_of), run_options{}, std::forward<Token>(token));
}

}  // namespace fastgpu::inline v0

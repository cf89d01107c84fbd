#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <gsl/assert>

#include <fastgpu/aggregate/operations.hpp>
#include <fastgpu/execute/execute.hpp>
#include <fastgpu/job.hpp>

/// @file
/// Functions of an index: the four stages in one call. All of them wait, working on their run meanwhile where they may
/// (cluster_options::callers_work), and throw what aggregate() throws.

namespace fastgpu::inline v0 {

/// op(f(0), f(1), ..., f(n - 1)).
///
/// @param over    n, extents<N> or a space<N>.
/// @param f       `V f(std::uint64_t)` in one dimension, `V f(index<N>)` else.
/// @throws error  errc::empty_reduction where there is nothing to reduce and `op` has no identity.
template <class Over, class F, class Op>
auto reduce(cluster& on, const Over& over, F f, Op op, const run_options& options = {})
{
  return detail::run_to_end(on, make_job(over, std::move(f), reduced(op)), options);
}

/// Calls f(i) for every index of `over`, in no order. With `args`, f(i, views...) or a block at a time.
template <class Over, class F, class... Args>
  requires(!(std::is_same_v<Args, run_options> || ...))
value<void> for_each(cluster& on, const Over& over, F f, Args... args)
{
  return detail::run_to_end(on, make_job(over, std::move(f), std::move(args)...));
}
template <class Over, class F, class... Args>
value<void> for_each(cluster& on, const run_options& options, const Over& over, F f, Args... args)
{
  return detail::run_to_end(on, make_job(over, std::move(f), std::move(args)...), options);
}

namespace detail {

template <class F>
struct transform_kernel {
  using gpu_kernel_of = F;
  F f;
  template <class T>
  FASTGPU_HD void operator()(std::uint64_t i, basic_view<T, 1> out) const
  {
    out(static_cast<std::int64_t>(i)) = static_cast<T>(f(i));
  }
};

template <class F>
struct map_kernel {
  using gpu_kernel_of = F;
  F f;
  template <class T>
  FASTGPU_HD auto operator()(std::uint64_t i, basic_view<T, 1> in) const
  {
    return f(in(static_cast<std::int64_t>(i)));
  }
};

template <class T, class F>
struct locate_kernel {
  using gpu_kernel_of = F;
  F f;
  FASTGPU_HD located<T> operator()(std::uint64_t i) const { return {f(i), i}; }
};

template <class F>
struct histogram_kernel {
  using gpu_kernel_of = F;
  F f;
  FASTGPU_HD void operator()(std::uint64_t i, tally<sum<std::uint64_t>> bins) const
  {
    const auto bin = static_cast<std::int64_t>(f(i));
    if (bin >= 0 && bin < bins.width()) bins.merge(bin, 1);
  }
};

/// Adaptors have their kernel's registered name.
template <class F>
constexpr const char* fastgpu_kernel_name(const transform_kernel<F>*)
{
  return kernel_name<F>();
}
template <class F>
constexpr const char* fastgpu_kernel_name(const map_kernel<F>*)
{
  return kernel_name<F>();
}
template <class T, class F>
constexpr const char* fastgpu_kernel_name(const locate_kernel<T, F>*)
{
  return kernel_name<F>();
}
template <class F>
constexpr const char* fastgpu_kernel_name(const histogram_kernel<F>*)
{
  return kernel_name<F>();
}

}  // namespace detail

/// out[i] = f(i) for every element of `out`, a container or data_view that outlives the call.
template <class Out, class F>
value<void> transform(cluster& on, Out& out, F f, const run_options& options = {})
{
  const auto n = out.size();
  return detail::run_to_end(on, make_job(n, detail::transform_kernel<F>{std::move(f)}, gather(out)), options);
}

/// op(f(data[0]), f(data[1]), ...).
template <class Data, class F, class Op>
auto map_reduce(cluster& on, Data&& data, F f, Op op, const run_options& options = {})
{
  const auto n = data.size();
  return detail::run_to_end(
      on, make_job(n, detail::map_kernel<F>{std::move(f)}, slices(std::forward<Data>(data)), reduced(op)), options);
}

/// The smallest f(i) and its lowest index.
template <class Over, class F>
auto arg_min(cluster& on, const Over& over, F f, const run_options& options = {})
{
  using result = std::remove_cvref_t<std::invoke_result_t<const F&, std::uint64_t>>;
  return reduce(on, over, detail::locate_kernel<result, F>{std::move(f)}, arg_minimum<result>{}, options);
}

/// The largest f(i) and its lowest index.
template <class Over, class F>
auto arg_max(cluster& on, const Over& over, F f, const run_options& options = {})
{
  using result = std::remove_cvref_t<std::invoke_result_t<const F&, std::uint64_t>>;
  return reduce(on, over, detail::locate_kernel<result, F>{std::move(f)}, arg_maximum<result>{}, options);
}

/// How many i have bin_of(i) == b, for each b in [0, bins). Indices with a bin outside are not counted.
template <class Over, class F>
value<std::vector<std::uint64_t>> histogram(cluster& on, const Over& over, std::int64_t bins, F bin_of,
                                            const run_options& options = {})
{
  return detail::run_to_end(
      on, make_job(over, detail::histogram_kernel<F>{std::move(bin_of)}, reduced(sum<std::uint64_t>{}, bins)), options);
}

}  // namespace fastgpu::inline v0

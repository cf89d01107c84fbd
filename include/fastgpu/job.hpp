#pragma once

#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <gsl/assert>

#include <fastgpu/data.hpp>
#include <fastgpu/decompose/space.hpp>
#include <fastgpu/detail/gpu_subtasks.hpp>
#include <fastgpu/detail/host_runner.hpp>
#include <fastgpu/detail/program.hpp>
#include <fastgpu/detail/ref.hpp>
#include <fastgpu/register.hpp>
#if defined(__CUDACC__)
#include <fastgpu/cuda/backend.cuh>
#endif

/// @file
/// The job: what to compute. A kernel, its data arguments, an iteration space, and how to aggregate.

namespace fastgpu::inline v0 {

/// A custom merge of values of type V by a callable `V f(const V& left, const V& right)`, associative.
/// Elements merge strictly in order; `Commutative` says that left and right may be swapped.
template <class V, class F, bool Commutative = false>
struct custom_merge {
  using value_type = V;
  static constexpr bool commutative = Commutative;
  F function;
  FASTGPU_HD V operator()(const V& left, const V& right) const { return function(left, right); }
};

/// Merges by `f`, which is associative: `merge<V>([](const V& a, const V& b) { ... })`.
template <class V, class F>
[[nodiscard]] constexpr custom_merge<V, F> merge(F f)
{
  return {f};
}
/// Merges by `f`, which is associative and commutative.
template <class V, class F>
[[nodiscard]] constexpr custom_merge<V, F, true> commutative_merge(F f)
{
  return {f};
}

namespace detail {

template <class Op>
struct reduced_value {
  Op op;
};
template <class Op>
struct reduced_vector {
  Op op;
  std::int64_t width;
};

/// Everything a run needs, alive as long as any job or run refers to it. Immutable once made.
class FASTGPU_API job_storage : public ref_counted {
 public:
  job_data data;
};

/// Chooses the spans and checks the arguments: extents against the space, outputs against all others.
/// @throws error  errc::overlapping_data, errc::invalid_argument
FASTGPU_API void finish_job(job_data& job);

/// Where a job's reduction stands in its argument list.
template <class... Args>
struct reduction_in {
  using op = void;
  static constexpr int count = 0;
  static constexpr bool vector = false;
};
template <class Op, class... Rest>
struct reduction_in<reduced_value<Op>, Rest...> : reduction_in<Rest...> {
  using op = Op;
  static constexpr int count = reduction_in<Rest...>::count + 1;
};
template <class Op, class... Rest>
struct reduction_in<reduced_vector<Op>, Rest...> : reduction_in<Rest...> {
  using op = Op;
  static constexpr int count = reduction_in<Rest...>::count + 1;
  static constexpr bool vector = true;
};
template <class First, class... Rest>
struct reduction_in<First, Rest...> : reduction_in<Rest...> {};

template <class Op, class Result>
struct value_of {
  using type = std::remove_cvref_t<Result>;
};
template <class Op, class Result>
  requires requires { typename Op::value_type; }
struct value_of<Op, Result> {
  using type = typename Op::value_type;
};

/// A kernel may say `static constexpr bool portable_arithmetic = true`: no libm, no contraction (fastgpu::strict_fp).
template <class Kernel>
constexpr bool declares_portable()
{
  if constexpr (requires { Kernel::portable_arithmetic; }) {
#if defined(__FAST_MATH__)
    static_assert(!Kernel::portable_arithmetic, "fastgpu: a kernel cannot be portable under -ffast-math");
#endif
    return Kernel::portable_arithmetic;
  } else {
    return false;
  }
}

template <class View, bool PerBlock>
struct form_of_view {  // of a tally, which has no data
  static constexpr argument_form value{};
};
template <class T, bool PerBlock>
struct form_of_view<const T&, PerBlock> {
  static constexpr argument_form value{argument_kind::value, 0, sizeof(T)};
};
template <class T, int N, bool PerBlock>
struct form_of_view<basic_view<const T, N>, PerBlock> {
  static constexpr argument_form value{PerBlock ? argument_kind::slices : argument_kind::broadcast, N, sizeof(T)};
};
template <class T, int N, bool PerBlock>
struct form_of_view<basic_view<T, N>, PerBlock> {
  static constexpr argument_form value{argument_kind::gather, N, sizeof(T)};
};

/// What is rebuilt from its bytes lies in memory of this alignment.
inline constexpr std::size_t travelling_alignment_max = 64;

template <class T>
constexpr bool is_its_bytes()
{
  using type = std::remove_cvref_t<T>;
  if constexpr (std::is_void_v<type>) {
    return true;
  } else {
    return std::is_trivially_copyable_v<type> && alignof(type) <= travelling_alignment_max;
  }
}

template <int N, class Kernel, class Op, class V, bool Vector, class... Args>
struct program_of {
  using kernel = Kernel;
  using reduction = std::conditional_t<std::is_void_v<Op>, no_reduction,
                                       std::conditional_t<Vector, vector_reduction<Op>, value_reduction<Op, V>>>;
  using gpu = gpu_subtasks<N, Kernel, reduction, Args...>;

  static constexpr argument_form forms[sizeof...(Args) + 1] = {
      form_of_view<typename Args::view_type, Args::per_block>::value..., {}};

  static constexpr const char* types() { return __PRETTY_FUNCTION__; }

  static constexpr program make()
  {
    program p;
    p.kernel = kernel_name<Kernel>();
    p.types = types();
    p.arguments = forms;
    p.argument_count = sizeof...(Args);
    if constexpr (!std::is_void_v<Op>) {
      p.values = &value_table_of<Op, V>;
      p.operation_bytes = sizeof(Op);
    }
    p.travels = is_its_bytes<Kernel>() && is_its_bytes<Op>() && (is_its_bytes<typename Args::view_type>() && ...);
    p.kernel_bytes = sizeof(Kernel);
    p.rank = N;
    p.vector_value = Vector;
    p.portable = declares_portable<Kernel>();
    p.run_host = &host_runner<N, Kernel, reduction, Args...>::run;
    return p;
  }
  static constexpr program entry = make();
};

/// The back end that this compiler brings beside the host's. A template parameter wherever it matters: the same source
/// read by two compilers then gives two functions, not two versions of one.
#if defined(FASTGPU_DETAIL_BACKEND)
using this_backend = FASTGPU_DETAIL_BACKEND;
#elif defined(__CUDACC__)
using this_backend = cuda_backend;
#else
using this_backend = host_backend;
#endif

struct no_operation {};

/// Bytes of a value that belong to none of its members. They travel with it, and a checkpoint knows the job by them:
/// they must not be whatever was there before.
template <class T>
void clear_padding([[maybe_unused]] T& value)
{
#if defined(__has_builtin) && !defined(__CUDACC__)
#if __has_builtin(__builtin_clear_padding)
  if constexpr (std::is_trivially_copyable_v<T> && !std::is_const_v<T>) __builtin_clear_padding(__builtin_addressof(value));
#endif
#endif
}

template <class Backend, int N, class Kernel, class Op, class V, bool Vector, class... Args>
class typed_job final : public job_storage {
  using operation = std::conditional_t<std::is_void_v<Op>, no_operation, Op>;

 public:
  typed_job(space_shape shape, Kernel kernel, operation op, std::int64_t width, Args... args)
      : kernel_{std::move(kernel)}, operation_{std::move(op)}, arguments_{std::move(args)...}
  {
    clear_padding(kernel_);
    clear_padding(operation_);
    data.shape = std::move(shape);
    data.code = &program_of<N, Kernel, Op, V, Vector, Args...>::entry;
    data.kernel = &kernel_;
    data.operation = &operation_;
    data.width = width;
    collect(std::index_sequence_for<Args...>{});
    data.arguments = descriptions_;
    data.argument_count = sizeof...(Args);
    register_for<program_of<N, Kernel, Op, V, Vector, Args...>, host_backend>();
    register_for<program_of<N, Kernel, Op, V, Vector, Args...>, Backend>();
    finish_job(data);
  }

 private:
  template <std::size_t... I>
  void collect(std::index_sequence<I...>)
  {
    (describe_one(descriptions_[I], std::get<I>(arguments_)), ...);
  }
  template <class T>
  static void describe_one(argument& to, value_argument<T>& from)
  {
    to = from.what;
    to.kind = argument_kind::value;
    to.element_bytes = sizeof(T);
    clear_padding(from.value);
    to.data = &from.value;
  }
  template <class Arg>
  static void describe_one(argument& to, Arg& from)
  {
    to = from.what;
    // A small string, say, keeps its elements inside itself: they moved with it.
    if constexpr (requires { from.owned.data(); }) {
      to.data = const_cast<void*>(static_cast<const void*>(from.owned.data()));
    }
  }

  Kernel kernel_;
  operation operation_;
  std::tuple<Args...> arguments_;
  argument descriptions_[sizeof...(Args) + 1];
};

template <class T>
inline constexpr bool is_data_view = false;
template <class T, int N>
inline constexpr bool is_data_view<data_view<T, N>> = true;

template <class T>
auto to_argument(T value)
{
  static_assert(std::is_trivially_copyable_v<T>,
                "fastgpu: an argument by value must be trivially copyable; containers go through broadcast(), slices() "
                "or gather()");
  static_assert(!std::is_pointer_v<T> && !is_data_view<T> && !requires { typename T::element_type; },
                "fastgpu: pointers and views say nothing of how their data travel: give broadcast(), slices() or gather()");
  return value_argument<T>{{}, std::move(value)};
}
template <class View, bool PerBlock, class Owned>
auto to_argument(data_argument<View, PerBlock, Owned> data)
{
  return data;
}
template <class Op>
auto to_argument(const reduced_vector<Op>&)
{
  argument what;
  what.kind = argument_kind::tally;
  return tally_argument<Op>{what};
}

/// The arguments that the kernel sees: all but `reduced(op)`, which takes its return value.
template <class T>
auto seen_argument(T arg)
{
  return std::tuple{to_argument(std::move(arg))};
}
template <class Op>
auto seen_argument(reduced_value<Op>)
{
  return std::tuple<>{};
}

inline no_operation find_operation() { return {}; }
template <class First, class... Rest>
auto find_operation(const First& first, const Rest&... rest)
{
  if constexpr (requires { first.op; }) {
    return first.op;
  } else {
    return find_operation(rest...);
  }
}

inline std::int64_t find_width() { return 1; }
template <class First, class... Rest>
std::int64_t find_width(const First& first, const Rest&... rest)
{
  if constexpr (requires { first.width; first.op; }) {
    return first.width;
  } else {
    return find_width(rest...);
  }
}

}  // namespace detail

/// Each call of the kernel yields a value; all of them are merged by `op` into one.
template <class Op>
[[nodiscard]] constexpr auto reduced(Op op)
{
  return detail::reduced_value<Op>{op};
}

/// The kernel gets a `tally<Op>` in this place and merges values into its `width` elements.
template <class Op>
[[nodiscard]] auto reduced(Op op, std::int64_t width)
{
  static_assert(requires { typename Op::value_type; }, "fastgpu: a vector reduction's operation names its value_type");
  static_assert(detail::has_identity<Op, typename Op::value_type>,
                "fastgpu: a vector reduction's operation needs an identity() to start from");
  Expects(width >= 1);
  return detail::reduced_vector<Op>{op, width};
}

/// A job over N dimensions whose value is a `Value` (void: nothing is reduced). Immutable, cheap to copy: copies share
/// one storage.
template <class Value, int N>
class job {
 public:
  using value_type = Value;

  explicit job(detail::ref<const detail::job_storage> storage) : storage_{std::move(storage)} {}

  [[nodiscard]] const detail::job_data& data() const noexcept { return storage_->data; }
  [[nodiscard]] const detail::ref<const detail::job_storage>& storage() const noexcept { return storage_; }

 private:
  detail::ref<const detail::job_storage> storage_;
};

namespace detail {

template <class Backend, class... Given, int N, class Kernel, class Operation, class... Seen>
auto assemble(const space<N>& over, Kernel kernel, Operation operation, std::int64_t width, std::tuple<Seen...> seen)
{
  using found = reduction_in<Given...>;
  using op = typename found::op;
  static_assert(found::count <= 1, "fastgpu: a job has one reduced(...) at most");
  constexpr auto form = form_of<N, Kernel, typename Seen::view_type...>();
  static_assert(form != kernel_form::none,
                "fastgpu: the kernel cannot be called: it takes an index (std::uint64_t in one dimension, or index<N>), "
                "a block<N>, a team and a block<N>, or a host_context& and a block<N>, then one view for each argument; "
                "and its operator() is const");
  static_assert(form != kernel_form::by_team || team_bytes<Kernel>() <= team_shared_bytes_max,
                "fastgpu: a team shares at most 48 KiB");
  static_assert(form != kernel_form::by_team || !found::vector,
                "fastgpu: threads of a team would merge into a vector in any order: let the kernel take a block, or return "
                "a value");
  using returned = typename decltype(result_of<N, Kernel, typename Seen::view_type...>())::type;
  static_assert(std::is_void_v<op> || found::vector || !std::is_void_v<returned>,
                "fastgpu: reduced(op) merges what the kernel returns, and this kernel returns nothing");
  static_assert(!std::is_void_v<op> || std::is_void_v<returned>,
                "fastgpu: the kernel returns a value that nobody takes: give reduced(op), or return void");
  using value = typename value_of<op, returned>::type;
  if constexpr (!std::is_void_v<op>) {
    static_assert(std::is_trivially_copyable_v<value>,
                  "fastgpu: values travel as bytes, so their type must be trivially copyable");
    static_assert(alignof(value) <= 64, "fastgpu: values are aligned to 64 bytes at most");
    static_assert(std::is_invocable_r_v<value, const op&, const value&, const value&>,
                  "fastgpu: the operation must be callable as V(const V&, const V&) const");
  }
  using result = std::conditional_t<std::is_void_v<op>, void,
                                    std::conditional_t<found::vector, std::vector<value>, value>>;
  using storage = typed_job<Backend, N, Kernel, op, value, found::vector, Seen...>;
  return std::apply(
      [&](auto&... arguments) {
        return job<result, N>{ref<const job_storage>{new storage(
            over.shape(), std::move(kernel), std::move(operation), width, std::move(arguments)...)}};
      },
      seen);
}

}  // namespace detail

/// Makes a job of `kernel` over the iteration space `over`.
///
/// @param over    A number n for [0, n), extents<N>, or a space<N> with a granule.
/// @param kernel  Called as f(index, views...), f(block<N>, views...), f(const team&, block<N>, views...) or
///                f(host_context&, block<N>, views...), const; its bytes travel to GPUs and nodes, so there it must be
///                trivially copyable and hold no pointers.
/// @param args    broadcast(), slices(), gather(), reduced(), or a trivially copyable value, in the kernel's order.
/// @throws error  errc::invalid_argument where an argument's extents do not fit the space; errc::overlapping_data where
///                an output overlaps another argument.
template <class Over, class Kernel, class... Args, class Backend = detail::this_backend>
[[nodiscard]] auto make_job(const Over& over, Kernel kernel, Args... args)
{
  const space whole{over};
  auto operation = detail::find_operation(args...);
  const auto width = detail::find_width(args...);
  return detail::assemble<Backend, Args...>(whole, std::move(kernel), std::move(operation), width,
                                   std::tuple_cat(detail::seen_argument(std::move(args))...));
}

namespace detail {

/// Registers a kernel of a one-dimensional index with each of `Ops`, as reduce() would at a call site.
template <class Backend, class Kernel, class... Ops>
bool register_reductions()
{
  (register_for<program_of<1, Kernel, Ops, typename Ops::value_type, false>, host_backend>(), ...);
  (register_for<program_of<1, Kernel, Ops, typename Ops::value_type, false>, Backend>(), ...);
  return true;
}

}  // namespace detail
}  // namespace fastgpu::inline v0

#define FASTGPU_DETAIL_JOIN2(a, b) a##b
#define FASTGPU_DETAIL_JOIN(a, b) FASTGPU_DETAIL_JOIN2(a, b)

/// Gives kernel type `type` the name by which other processes know it; stands in the type's namespace. Each call site
/// that uses the kernel registers its own program; the operations after the type register `reduce()` with them as well,
/// for programs where no call site stands.
#define FASTGPU_REGISTER(name, type, ...)                                          \
  constexpr const char* fastgpu_kernel_name(const type*) { return name; }          \
  [[maybe_unused]] static const bool FASTGPU_DETAIL_JOIN(fastgpu_registered_, __COUNTER__) = \
      ::fastgpu::detail::register_reductions<::fastgpu::detail::this_backend, type __VA_OPT__(, ) __VA_ARGS__>();

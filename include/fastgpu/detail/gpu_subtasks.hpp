#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include <fastgpu/aggregate/ordered.hpp>
#include <fastgpu/detail/gpu_entry.hpp>
#include <fastgpu/detail/gpu_merges.hpp>
#include <fastgpu/detail/kernel_form.hpp>
#include <fastgpu/view.hpp>

/// @file
/// What the threads of a GPU compute of a batch, one thread at a time: all arithmetic of a launch, in functions that
/// also run on the host, where tests call them.

namespace fastgpu::inline v0::detail {

template <class Arg>
struct gpu_stored {
  using type = gpu_view;
};
template <class T>
struct gpu_stored<value_argument<T>> {
  using type = T;
};

/// The arguments of a kernel as they lie in the parameters of a launch.
template <class... Args>
struct gpu_arguments {
  gpu_arguments() = default;
  gpu_arguments(const job_data&, const gpu_view*, std::uint32_t) {}
};
template <class First, class... Rest>
struct gpu_arguments<First, Rest...> {
  typename gpu_stored<First>::type first{};
  gpu_arguments<Rest...> rest{};

  gpu_arguments() = default;
  gpu_arguments(const job_data& job, const gpu_view* views, std::uint32_t number) : rest{job, views, number + 1}
  {
    if constexpr (std::is_same_v<typename gpu_stored<First>::type, gpu_view>) {
      first = views[number];
    } else {
      std::memcpy(&first, job.arguments[number].data, sizeof first);
    }
  }

  template <std::size_t I>
  FASTGPU_HD constexpr const auto& at() const
  {
    if constexpr (I == 0) {
      return first;
    } else {
      return rest.template at<I - 1>();
    }
  }
};

/// Operation and value type of a reduction.
template <class Reduction>
struct reduction_types {
  struct operation {};
  using value = char;
};
template <class Op, class V>
struct reduction_types<value_reduction<Op, V>> {
  using operation = Op;
  using value = V;
};
template <class Op>
struct reduction_types<vector_reduction<Op>> {
  using operation = Op;
  using value = typename Op::value_type;
};

/// Numbers, from I on, of the arguments that are no tally.
template <std::size_t I, class Numbers, class... Args>
struct numbers_of_data {
  using type = Numbers;
};
template <std::size_t I, std::size_t... Numbers, class First, class... Rest>
struct numbers_of_data<I, std::index_sequence<Numbers...>, First, Rest...>
    : numbers_of_data<I + 1, std::index_sequence<Numbers..., I>, Rest...> {
};
template <std::size_t I, std::size_t... Numbers, class Op, class... Rest>
struct numbers_of_data<I, std::index_sequence<Numbers...>, tally_argument<Op>, Rest...>
    : numbers_of_data<I + 1, std::index_sequence<Numbers...>, Rest...> {
};

/// A program on a GPU. Parameters of its launches, and its subtasks and their elements.
template <int N, class Kernel, class Reduction, class... Args>
struct gpu_subtasks
    : gpu_merges<typename reduction_types<Reduction>::operation, typename reduction_types<Reduction>::value> {
  using types = reduction_types<Reduction>;
  using operation = typename types::operation;
  using value = typename types::value;

  static constexpr int rank = N;
  static constexpr kernel_form form = form_of<N, Kernel, typename Args::view_type...>();
  static constexpr bool reduces = !std::is_same_v<Reduction, no_reduction>;
  static constexpr bool vectors = reduces && !std::is_same_v<Reduction, value_reduction<operation, value>>;

  /// What own launches get: a vector's values stand for the tally.
  using launch_views = typename numbers_of_data<0, std::index_sequence<>, Args...>::type;
  template <std::size_t I>
  using argument_at = std::tuple_element_t<I, std::tuple<Args...>>;
  template <std::size_t... I>
  static constexpr bool can_launch(std::index_sequence<I...>)
  {
    using batch = cuda_batch<N>;
    if constexpr (reduces) {
      return std::is_invocable_v<const Kernel&, cuda_context&, const batch&, typename argument_at<I>::view_type...,
                                 value*>;
    } else {
      return std::is_invocable_v<const Kernel&, cuda_context&, const batch&, typename argument_at<I>::view_type...>;
    }
  }
  /// The kernel enqueues work of its own, which leaves a value or a vector for each subtask.
  static constexpr bool launches_itself = can_launch(launch_views{});
  /// The threads of a block work on a subtask together.
  static constexpr bool by_team = !launches_itself && form == kernel_form::by_team;
  static constexpr std::size_t shared_bytes = team_bytes<Kernel>();
  /// All subtasks' values are there before any is merged.
  static constexpr bool leaves_values = reduces && (launches_itself || by_team);
  static constexpr bool by_element =
      !launches_itself && (form == kernel_form::by_number || form == kernel_form::by_index);
  static constexpr bool tallies = vectors && !launches_itself;
  static constexpr bool reads_data = sizeof...(Args) > 0;
  static constexpr bool order_free = reduces && is_order_free<operation>();
  static constexpr bool commutative = order_free || is_commutative<operation>();
  /// Whether the lanes of a subtask can be threads. Large values would not fit in shared memory.
  static constexpr bool by_lanes = by_element && commutative && !tallies && sizeof(value) <= lane_array_bytes;

  /// What every thread of a launch gets.
  struct params {
    flat_shape shape;
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t threads_a_subtask;  ///< A power of two. 256, or as many as the largest subtask has indices.
    std::int64_t width;
    void* total;
    void* span_values;
    /// [subtasks of the batch][width], of `ordered`, of teams and of own launches. The same as span_values where a span
    /// is one.
    void* subtask_values;
    Kernel kernel;
    operation op;
    gpu_arguments<Args...> arguments;

    explicit params(const gpu_batch& batch)
        : shape{batch.shape},
          begin{batch.begin},
          end{batch.end},
          threads_a_subtask{1},
          width{batch.job->width},
          total{batch.total},
          span_values{batch.span_values},
          subtask_values{batch.fold == fold_kind::ordered && batch.shape.span_log2 == 0 ? batch.span_values
                                                                                        : batch.scratch},
          kernel{*static_cast<const Kernel*>(batch.job->kernel)},
          op{operation_of(batch.job->operation)},
          arguments{*batch.job, batch.views, 0}
    {
      if constexpr (by_element) {
        if (reduces && batch.fold == fold_kind::ordered && !by_lanes) return;
        while (threads_a_subtask < lane_count && threads_a_subtask < batch.largest_subtask) threads_a_subtask *= 2;
      }
    }

    static operation operation_of(const void* op)
    {
      if constexpr (reduces) {
        return *static_cast<const operation*>(op);
      } else {
        return {};
      }
    }
  };

  // Calls of the kernel -------------------------------------------------------------------------------------------

  template <class T, int M>
  FASTGPU_HD static basic_view<T, M> make_view(const gpu_view& from, basic_view<T, M>*)
  {
    index<M> origin;
    extents<M> shape;
    index<M> stride;
    for (int d = 0; d < M; ++d) {
      origin[d] = from.origin[d];
      shape[d] = from.extent[d];
      stride[d] = from.stride[d];
    }
    return {static_cast<T*>(from.data), origin, shape, stride};
  }

  /// What the kernel gets for its argument of type Arg, the I-th.
  template <class Arg, std::size_t I>
  FASTGPU_HD static typename Arg::view_type view(const params& p, [[maybe_unused]] void* tallied)
  {
    using view_type = typename Arg::view_type;
    if constexpr (std::is_reference_v<view_type>) {
      return p.arguments.template at<I>();
    } else if constexpr (std::is_same_v<view_type, tally<operation>>) {
      return {static_cast<value*>(tallied), p.width, &p.op};
    } else {
      return make_view(p.arguments.template at<I>(), static_cast<view_type*>(nullptr));
    }
  }

  template <std::size_t... I>
  FASTGPU_HD static decltype(auto) call(const params& p, index<N> at, void* tallied, std::index_sequence<I...>)
  {
    if constexpr (form == kernel_form::by_number) {
      return p.kernel(static_cast<std::uint64_t>(at[0]), view<Args, I>(p, tallied)...);
    } else {
      return p.kernel(at, view<Args, I>(p, tallied)...);
    }
  }
  /// The kernel at one index. `tallied` is where its tally writes.
  FASTGPU_HD static decltype(auto) call(const params& p, index<N> at, void* tallied = nullptr)
  {
    return call(p, at, tallied, std::index_sequence_for<Args...>{});
  }

  template <std::size_t... I>
  FASTGPU_HD static decltype(auto) call_block(const params& p, const block<N>& b,
                                              [[maybe_unused]] void* tallied, std::index_sequence<I...>)
  {
    return p.kernel(b, view<Args, I>(p, tallied)...);
  }
  FASTGPU_HD static decltype(auto) call_block(const params& p, const block<N>& b, void* tallied = nullptr)
  {
    return call_block(p, b, tallied, std::index_sequence_for<Args...>{});
  }

  FASTGPU_HD static value value_at(const params& p, const index<N>& at) { return static_cast<value>(call(p, at)); }
  FASTGPU_HD static value value_at(const params& p, const block<N>& b)
  {
    if constexpr (leaves_values) {
      return static_cast<const value*>(p.subtask_values)[b.subtask - p.begin];
    } else {
      return static_cast<value>(call_block(p, b));
    }
  }
  FASTGPU_HD static void run_at(const params& p, const index<N>& at, void* tallied = nullptr) { call(p, at, tallied); }
  template <std::size_t... I>
  FASTGPU_HD static decltype(auto) call_team(const params& p, const team& t, const block<N>& b,
                                             std::index_sequence<I...>)
  {
    return p.kernel(t, b, view<Args, I>(p, nullptr)...);
  }
  /// One thread's part of a subtask. The value counts, if there is one, if the thread is the first.
  FASTGPU_HD static void run_team(const params& p, const team& t, const block<N>& b)
  {
    if constexpr (reduces) {
      const auto v = static_cast<value>(call_team(p, t, b, std::index_sequence_for<Args...>{}));
      if (t.rank() == 0) static_cast<value*>(p.subtask_values)[b.subtask - p.begin] = v;
    } else {
      call_team(p, t, b, std::index_sequence_for<Args...>{});
    }
  }
  FASTGPU_HD static void run_at(const params& p, const block<N>& b, void* tallied = nullptr)
  {
    call_block(p, b, tallied);
  }

  template <std::size_t... I>
  static void call_launches(const params& p, cuda_context& context, const cuda_batch<N>& batch,
                            std::index_sequence<I...>)
  {
    if constexpr (reduces) {
      p.kernel(context, batch, view<argument_at<I>, I>(p, nullptr)..., static_cast<value*>(p.subtask_values));
    } else {
      p.kernel(context, batch, view<argument_at<I>, I>(p, nullptr)...);
    }
  }
  /// The kernel's own launches, for the whole batch.
  /// @throws gpu_no_scratch  They threw for want of scratch memory.
  template <class Context>
  static void call_launches(const params& p, Context& context, const cuda_batch<N>& batch)
  {
    try {
      call_launches(p, context, batch, launch_views{});
    } catch (...) {
      if (context.missing_bytes() == 0) throw;
      throw gpu_no_scratch{context.missing_bytes()};
    }
  }

  // Subtasks --------------------------------------------------------------------------------------------------------

  FASTGPU_HD static value element(const params& p, const block<N>& b, std::int64_t k)
  {
    return value_at(p, index_at(b, k));
  }

  /// One lane of the shape ordered/1. @pre  lane < 256, and subtask `b` has more than `lane` indices.
  FASTGPU_HD static value lane_value(const params& p, const block<N>& b, std::int64_t lane)
  {
    const auto n = b.count();
    value v = element(p, b, lane);
    auto k = lane + lane_count;
    if constexpr (reads_data) {  // several loads at a time: waiting for each would leave the memory idle
      for (; k + 3 * lane_count < n; k += 4 * lane_count) {
        const value next[] = {element(p, b, k), element(p, b, k + lane_count), element(p, b, k + 2 * lane_count),
                              element(p, b, k + 3 * lane_count)};
        for (const auto& e : next) v = p.op(v, e);
      }
    }
    for (; k < n; k += lane_count) v = p.op(v, element(p, b, k));
    return v;
  }

  /// Whether lane `lane` merges with lane + `step`, where `filled` lanes were.
  FASTGPU_HD static constexpr bool lane_merges(std::int64_t lane, std::int64_t step, std::int64_t filled)
  {
    return lane < step && lane + step < filled;
  }

  /// The whole of subtask `b` by one thread, in the shape ordered/1.
  FASTGPU_HD static value subtask_value(const params& p, const block<N>& b)
  {
    if constexpr (!by_element) {
      return value_at(p, b);
    } else if constexpr (!commutative) {
      const auto n = b.count();
      value v = element(p, b, 0);
      for (std::int64_t k = 1; k < n; ++k) v = p.op(v, element(p, b, k));
      return v;
    } else {
      struct numbered {
        const params& p;
        const block<N>& b;
        FASTGPU_HD value operator()(std::int64_t k) const { return element(p, b, k); }
      };
      return fold_recursive<value>(p.op, b.count(), numbered{p, b});
    }
  }

  /// Everything of subtask `b` into the vector `tallied`, by one thread.
  FASTGPU_HD static void tally_subtask(const params& p, const block<N>& b, void* tallied)
  {
    if constexpr (by_element) {
      const auto n = b.count();
      for (std::int64_t k = 0; k < n; ++k) call(p, index_at(b, k), tallied);
    } else {
      call_block(p, b, tallied);
    }
  }

  // Spans -----------------------------------------------------------------------------------------------------------

  FASTGPU_HD static std::uint32_t first_span(const params& p) { return p.begin >> p.shape.span_log2; }
  FASTGPU_HD static std::uint32_t span_count(const params& p)
  {
    return ((p.end - 1) >> p.shape.span_log2) + 1 - first_span(p);
  }

  /// From one element of a vector among values to that of the next; 1 for scalars.
  FASTGPU_HD static std::int64_t stride(const params& p) { return vectors ? p.width : 1; }

  /// Folds element `i` of the values of the batch's subtasks [first, last) serially. @pre  They are there.
  FASTGPU_HD static value fold_subtasks(const params& p, std::uint32_t first, std::uint32_t last, std::int64_t i)
  {
    const auto* values = static_cast<const value*>(p.subtask_values) + i;
    value v = values[first * stride(p)];
    for (auto s = first + 1; s < last; ++s) v = p.op(v, values[s * stride(p)]);
    return v;
  }

  /// Element `i` of the batch's `number`-th span. @pre  All of its subtask_values are there.
  FASTGPU_HD static void fold_span(const params& p, std::uint32_t number, std::int64_t i = 0)
  {
    const auto first = ((first_span(p) + number) << p.shape.span_log2) - p.begin;
    const auto size = std::uint32_t{1} << p.shape.span_log2;
    const auto last = p.end - p.begin - first < size ? p.end - p.begin : first + size;
    static_cast<value*>(p.span_values)[number * stride(p) + i] = fold_subtasks(p, first, last, i);
  }

  /// Shares of the batch's subtasks when `threads` threads fold an element of a share each. At least 1, and no more than
  /// there are subtasks. @pre  vectors
  FASTGPU_HD static std::uint64_t shares_of_vectors(const params& p, std::uint64_t threads)
  {
    const std::uint64_t subtasks = p.end - p.begin;
    const auto shares = threads / static_cast<std::uint64_t>(p.width);
    return shares < 1 ? 1 : shares < subtasks ? shares : subtasks;
  }

  /// Element `i` of one of `shares` shares. @pre  As for fold_subtasks().
  FASTGPU_HD static value fold_share(const params& p, std::uint64_t share, std::uint64_t shares, std::int64_t i)
  {
    const std::uint64_t n = p.end - p.begin;
    return fold_subtasks(p, static_cast<std::uint32_t>(n * share / shares),
                         static_cast<std::uint32_t>(n * (share + 1) / shares), i);
  }

  /// The batch's `number`-th span of a tally: each subtask counts into a fresh vector, the span's vectors merge
  /// serially.
  FASTGPU_HD static void tally_span(const params& p, std::uint32_t number)
  {
    const auto first = (first_span(p) + number) << p.shape.span_log2;
    const auto size = std::uint32_t{1} << p.shape.span_log2;
    const auto last = p.end - first < size ? p.end : first + size;
    auto* span_value = static_cast<value*>(p.span_values) + number * p.width;
    auto* subtask_value = static_cast<value*>(p.subtask_values) + number * p.width;  // scratch, one a span
    for (auto s = first; s < last; ++s) {
      auto* into = s == first ? span_value : subtask_value;
      for (std::int64_t i = 0; i < p.width; ++i) into[i] = operation::identity();
      tally_subtask(p, block_of<N>(p.shape, s), into);
      if (s == first) continue;
      for (std::int64_t i = 0; i < p.width; ++i) span_value[i] = p.op(span_value[i], subtask_value[i]);
    }
  }

  /// Bytes at gpu_batch::scratch that subtask_values takes.
  static std::size_t subtask_values_bytes(const gpu_batch& batch)
  {
    const bool ordered = batch.fold == fold_kind::ordered;
    if (!reduces || (ordered ? batch.shape.span_log2 == 0 : !leaves_values)) return 0;
    const auto spans = ((batch.end - 1) >> batch.shape.span_log2) + 1 - (batch.begin >> batch.shape.span_log2);
    const auto vectors = tallies ? spans : batch.end - batch.begin;
    return sizeof(value) * static_cast<std::size_t>(batch.job->width) * vectors;
  }
};

}  // namespace fastgpu::inline v0::detail

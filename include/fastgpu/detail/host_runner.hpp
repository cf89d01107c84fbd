#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#include <fastgpu/aggregate/ordered.hpp>
#include <fastgpu/data.hpp>
#include <fastgpu/detail/kernel_form.hpp>
#include <fastgpu/detail/program.hpp>

/// @file
/// The host's loop over a batch, with the kernel inlined into it so that the compiler can vectorise.

namespace fastgpu::inline v0::detail {

template <int N, class Kernel, class Reduction, class... Args>
class host_runner {
  static constexpr kernel_form form = form_of<N, Kernel, typename Args::view_type...>();
  static constexpr bool one_element_a_call = form == kernel_form::by_number || form == kernel_form::by_index;
  static constexpr bool rebinds = (Args::per_block || ...);
  using views = std::tuple<typename Args::view_type...>;
  using slots = std::index_sequence_for<Args...>;

 public:
  static void run(const job_data& job, std::uint32_t begin, std::uint32_t end, fold_target& fold,
                  worker_context& context)
  {
    host_runner runner{job, fold, context};
    runner.run_batch(begin, end, Reduction{});
  }

 private:
  host_runner(const job_data& job, fold_target& fold, worker_context& context)
      : job_{job}, kernel_{*static_cast<const Kernel*>(job.kernel)}, fold_{fold}, context_{context}
  {
  }

  // Views of one block ------------------------------------------------------------------------------------------

  template <class Arg>
  typename Arg::view_type bind(const argument& what, [[maybe_unused]] const block<N>& b,
                               [[maybe_unused]] void* accumulator, [[maybe_unused]] std::byte*& staging) const
  {
    if constexpr (std::is_reference_v<typename Arg::view_type>) {
      return *static_cast<std::remove_reference_t<typename Arg::view_type>*>(what.data);
    } else if constexpr (requires { typename Arg::view_type::value_type; }) {  // a tally
      return {static_cast<typename Arg::view_type::value_type*>(accumulator), job_.width,
              static_cast<decltype(operation_of(std::declval<typename Arg::view_type>()))>(job_.operation)};
    } else {
      return bind_view(what, b, staging, static_cast<typename Arg::view_type*>(nullptr), Arg::per_block);
    }
  }

  template <class Op>
  static const Op* operation_of(const tally<Op>&);

  template <class T, int M>
  static basic_view<T, M> bind_view(const argument& what, const block<N>& b, std::byte*& staging, basic_view<T, M>*,
                                    bool per_block)
  {
    if (per_block && what.halo > 0) {
      box region;
      for (int d = 0; d < what.rank; ++d) {
        region.begin[d] = b.begin[d < N ? d : 0] - what.halo;
        region.end[d] = b.end[d < N ? d : 0] + what.halo;
      }
      if (needs_staging(what, region)) {
        index<M> origin;
        extents<M> shape;
        for (int d = 0; d < M; ++d) {
          origin[d] = region.begin[d];
          shape[d] = region.end[d] - region.begin[d];
        }
        auto* dense = staging;
        stage_slice(what, region, dense);
        staging += (static_cast<std::size_t>(shape.count()) * what.element_bytes + 63) / 64 * 64;
        return view_of<T>(dense, origin, shape);
      }
    }
    extents<M> shape;
    index<M> stride;
    for (int d = 0; d < M; ++d) {
      shape[d] = what.extent[d];
      stride[d] = what.stride[d];
    }
    return {static_cast<T*>(what.data), index<M>{}, shape, stride};
  }

  template <class T, int M>
  static basic_view<T, M> view_of(std::byte* dense, index<M> origin, extents<M> shape)
  {
    index<M> stride;
    stride[M - 1] = 1;
    for (int d = M - 2; d >= 0; --d) stride[d] = stride[d + 1] * shape[d + 1];
    return {reinterpret_cast<T*>(dense), origin, shape, stride};
  }

  template <std::size_t... I>
  views bind_all([[maybe_unused]] const block<N>& b, [[maybe_unused]] void* accumulator,
                 std::index_sequence<I...>) const
  {
    [[maybe_unused]] auto* staging = context_.staging;
    return views{bind<Args>(job_.arguments[I], b, accumulator, staging)...};
  }
  views bind_all(const block<N>& b, void* accumulator) const { return bind_all(b, accumulator, slots{}); }

  /// Asks for what slices in one dimension will be read at soon after the `n` elements from `at` on. Without that a sum
  /// over memory is slow: loads and stores of the lanes fill the processor's window before it has looked far enough
  /// ahead. (Inlined always: g++ drops the call of a function that does nothing but prefetch.)
  template <std::size_t... I>
  [[gnu::always_inline]] void prefetch(const views& v, [[maybe_unused]] index<N> at, [[maybe_unused]] std::int64_t n,
                                       std::index_sequence<I...>) const
  {
    (prefetch(job_.arguments[I], std::get<I>(v), at, n), ...);
  }

  template <class T>
  [[gnu::always_inline]] static void prefetch(const argument& what, const basic_view<const T, 1>& view, index<1> at,
                                              std::int64_t n)
  {
    constexpr std::uintptr_t ahead = 16384;
    constexpr std::uintptr_t line = 64;
    if (what.kind != argument_kind::slices || what.halo > 0) return;
    auto address = reinterpret_cast<std::uintptr_t>(&view(at)) + ahead;
    const auto end = address + static_cast<std::uintptr_t>(n) * sizeof(T);
    for (; address < end; address += line) __builtin_prefetch(reinterpret_cast<const void*>(address));
  }

  template <class View>
  static void prefetch(const argument&, const View&, index<N>, std::int64_t)  // of any other argument
  {
  }

  // Calls -------------------------------------------------------------------------------------------------------

  decltype(auto) call(index<N> at, const views& v) const
  {
    return std::apply(
        [&](const auto&... view) -> decltype(auto) {
          if constexpr (form == kernel_form::by_number) {
            return kernel_(static_cast<std::uint64_t>(at[0]), view...);
          } else {
            return kernel_(at, view...);
          }
        },
        v);
  }

  auto call_block(const block<N>& b, const views& v) const
  {
    context_.subtask = b.subtask;
    return std::apply(
        [&](const auto&... view) {
          if constexpr (form == kernel_form::by_context) {
            auto& context = static_cast<host_context&>(context_);
            if constexpr (std::is_void_v<decltype(kernel_(context, b, view...))>) {
              kernel_(context, b, view...);
              context_.check_failure();
            } else {
              const auto value = kernel_(context, b, view...);
              context_.check_failure();
              return value;
            }
          } else if constexpr (form == kernel_form::by_team) {
            return kernel_(team{context_.scratch(team_bytes<Kernel>()), team_bytes<Kernel>()}, b, view...);
          } else {
            return kernel_(b, view...);
          }
        },
        v);
  }

  /// Calls `each(at)` for every index of the block, row-major.
  template <class Each>
  void for_each_index(const block<N>& b, const Each& each) const
  {
    index<N> at = b.begin;
    if constexpr (N == 1) {
      for (auto i = b.begin[0]; i < b.end[0]; ++i) each(index<1>{{i}});
    } else if constexpr (N == 2) {
      for (at[0] = b.begin[0]; at[0] < b.end[0]; ++at[0]) {
        for (auto x = b.begin[1]; x < b.end[1]; ++x) each(index<2>{{at[0], x}});
      }
    } else {
      for (at[0] = b.begin[0]; at[0] < b.end[0]; ++at[0]) {
        for (at[1] = b.begin[1]; at[1] < b.end[1]; ++at[1]) {
          for (auto x = b.begin[2]; x < b.end[2]; ++x) each(index<3>{{at[0], at[1], x}});
        }
      }
    }
  }

  /// Runs `body(block, views)` for each subtask of the batch.
  template <class Body>
  void for_each_block(std::uint32_t begin, std::uint32_t end, void* accumulator, const Body& body) const
  {
    if constexpr (rebinds) {
      for (auto s = begin; s < end; ++s) {
        const auto b = block_of<N>(job_.shape, s);
        context_.subtask = s;
        body(b, bind_all(b, accumulator));
      }
    } else {
      const auto v = bind_all({}, accumulator);
      for (auto s = begin; s < end; ++s) {
        context_.subtask = s;
        body(block_of<N>(job_.shape, s), v);
      }
    }
  }

  /// As for_each_block with a body that works index by index and does not ask where subtasks begin: in one dimension
  /// the whole batch is then one loop.
  template <class Each>
  void for_each_element(std::uint32_t begin, std::uint32_t end, void* accumulator, const Each& each) const
  {
    if constexpr (N == 1 && !rebinds) {
      const auto v = bind_all({}, accumulator);
      auto i = block_of<1>(job_.shape, begin).begin[0];
      const auto last = block_of<1>(job_.shape, end - 1).end[0];
      try {
        for (; i < last; ++i) each(index<1>{{i}}, v);
      } catch (...) {
        context_.subtask = begin;
        while (block_of<1>(job_.shape, context_.subtask).end[0] <= i) ++context_.subtask;
        throw;
      }
    } else {
      for_each_block(begin, end, accumulator,
                     [&](const block<N>& b, const views& v) { for_each_index(b, [&](index<N> at) { each(at, v); }); });
    }
  }

  // Nothing reduced ---------------------------------------------------------------------------------------------

  void run_batch(std::uint32_t begin, std::uint32_t end, no_reduction) const
  {
    if constexpr (one_element_a_call) {
      for_each_element(begin, end, nullptr, [&](index<N> at, const views& v) { call(at, v); });
    } else {
      for_each_block(begin, end, nullptr, [&](const block<N>& b, const views& v) { call_block(b, v); });
    }
  }

  // One value an element, or a block ----------------------------------------------------------------------------

  template <class Op, class V>
  V subtask_value(const Op& op, const block<N>& b, const views& v) const
  {
    if constexpr (!one_element_a_call) {
      return static_cast<V>(call_block(b, v));
    } else {
      const auto element = [&](index<N> at) -> V { return static_cast<V>(call(at, v)); };
      const auto numbered = [&](std::int64_t k) -> V { return element(index_at(b, k)); };
      if (b.count() == 1) return element(b.begin);
      if constexpr (!is_commutative<Op>()) {
        std::int64_t k = 1;
        const auto n = b.count();
        V value = numbered(0);
        for (; k < n; ++k) value = op(value, numbered(k));
        return value;
      } else if constexpr (sizeof(V) > lane_array_bytes) {
        return fold_recursive<V>(op, b.count(), numbered);
      } else if constexpr (N == 1 && sizeof...(Args) == 0) {
        return fold_computed<V>(op, b.count(), numbered);
      } else {
        return fold_streamed<V>(op, b, element, [&](index<N> at, std::int64_t n) { prefetch(v, at, n, slots{}); });
      }
    }
  }

  template <class Op, class V>
  void run_batch(std::uint32_t begin, std::uint32_t end, value_reduction<Op, V>) const
  {
    const Op op = *static_cast<const Op*>(job_.operation);
    if constexpr (is_order_free<Op>()) {
      fold_single<Op, V>(op, begin, end);
    } else {
      switch (fold_.kind) {
        case fold_kind::ordered: return fold_ordered<Op, V>(op, begin, end);
        case fold_kind::single:
          if constexpr (is_commutative<Op>()) return fold_single<Op, V>(op, begin, end);
          break;
        case fold_kind::exact:
          if constexpr (exact_state<Op>::supported) return fold_exact<Op, V>(begin, end);
          break;
        case fold_kind::none: break;
      }
    }
  }

  /// One accumulator. Order-free operations merge element by element, others subtask by subtask.
  template <class Op, class V>
  void fold_single(const Op& op, std::uint32_t begin, std::uint32_t end) const
  {
    auto* total = static_cast<V*>(fold_.value);
    if constexpr (is_order_free<Op>() && one_element_a_call && N == 1 && !rebinds) {
      const auto v = bind_all({}, nullptr);
      auto i = block_of<1>(job_.shape, begin).begin[0];
      const auto last = block_of<1>(job_.shape, end - 1).end[0];
      try {
        if (!fold_.present) {
          new (total) V(static_cast<V>(call({{i}}, v)));
          fold_.present = true;
          ++i;
        }
        V value = *total;
        for (; i < last; ++i) value = op(value, static_cast<V>(call({{i}}, v)));
        new (total) V(value);
      } catch (...) {
        context_.subtask = begin;
        while (block_of<1>(job_.shape, context_.subtask).end[0] <= i) ++context_.subtask;
        throw;
      }
    } else {
      for_each_block(begin, end, nullptr, [&](const block<N>& b, const views& v) {
        V value = subtask_value<Op, V>(op, b, v);
        // Not merged in the place where it goes: the operation might build its result there, over the operand it reads.
        if (fold_.present) value = op(*total, value);
        new (total) V(value);
        fold_.present = true;
      });
    }
  }

  template <class Op, class V>
  void fold_exact(std::uint32_t begin, std::uint32_t end) const
  {
    using state = exact_state<Op>;
    constexpr std::int64_t adds_max = std::int64_t{1} << 29;  // well inside the superaccumulator's bound
    auto& total = *static_cast<state*>(fold_.value);
    const auto add = [&](const V& value) {
      total.add(value);
      if (++fold_.adds >= adds_max) {
        total.normalize();
        fold_.adds = 0;
      }
    };
    if constexpr (!one_element_a_call) {
      for_each_block(begin, end, nullptr,
                     [&](const block<N>& b, const views& v) { add(static_cast<V>(call_block(b, v))); });
    } else if constexpr (requires(const V* many) { total.add(many, std::size_t{}); }) {
      constexpr std::size_t chunk = 1024;
      V buffer[chunk];
      std::size_t n = 0;
      for_each_element(begin, end, nullptr, [&](index<N> at, const views& v) {
        buffer[n++] = static_cast<V>(call(at, v));
        if (n == chunk) total.add(buffer, std::exchange(n, 0));
      });
      for (std::size_t i = 0; i < n; ++i) add(buffer[i]);
    } else {
      for_each_element(begin, end, nullptr, [&](index<N> at, const views& v) { add(static_cast<V>(call(at, v))); });
    }
  }

  /// Folds each span serially over its subtasks and hands its value on.
  template <class Op, class V>
  void fold_ordered(const Op& op, std::uint32_t begin, std::uint32_t end) const
  {
    const auto span_mask = (std::uint32_t{1} << job_.shape.span_log2) - 1;
    alignas(V) std::byte storage[sizeof(V)];
    auto* value = reinterpret_cast<V*>(storage);
    for_each_block(begin, end, nullptr, [&](const block<N>& b, const views& v) {
      const auto s = b.subtask;
      if ((s & span_mask) == 0) {
        new (value) V(subtask_value<Op, V>(op, b, v));
      } else {
        *value = op(*value, subtask_value<Op, V>(op, b, v));
      }
      if ((s & span_mask) == span_mask || s + 1 == job_.shape.count) {
        fold_.push(fold_.forest, s >> job_.shape.span_log2, value);
      }
    });
  }

  // A vector ----------------------------------------------------------------------------------------------------

  template <class Op>
  void run_batch(std::uint32_t begin, std::uint32_t end, vector_reduction<Op>) const
  {
    using V = typename Op::value_type;
    if (fold_.kind == fold_kind::single) {
      run_tally(begin, end, fold_.value);
      fold_.present = true;
      return;
    }
    // Ordered: each subtask counts into a fresh vector; a span's vectors merge serially.
    const auto span_mask = (std::uint32_t{1} << job_.shape.span_log2) - 1;
    auto* span_value = static_cast<V*>(fold_.span_value);
    auto* subtask_value = span_value + job_.width;
    for (auto s = begin; s < end; ++s) {
      const bool first = (s & span_mask) == 0;
      auto* into = first ? span_value : subtask_value;
      value_table_of<Op, V>.identity(into, job_.width);
      run_tally(s, s + 1, into);
      if (!first) merge_values<Op, V>(job_.operation, span_value, subtask_value, job_.width);
      if ((s & span_mask) == span_mask || s + 1 == job_.shape.count) {
        fold_.push(fold_.forest, s >> job_.shape.span_log2, span_value);
      }
    }
  }

  void run_tally(std::uint32_t begin, std::uint32_t end, void* accumulator) const
  {
    if constexpr (one_element_a_call) {
      for_each_element(begin, end, accumulator, [&](index<N> at, const views& v) { call(at, v); });
    } else {
      for_each_block(begin, end, accumulator, [&](const block<N>& b, const views& v) { call_block(b, v); });
    }
  }

  const job_data& job_;
  const Kernel& kernel_;
  fold_target& fold_;
  worker_context& context_;
};

}  // namespace fastgpu::inline v0::detail

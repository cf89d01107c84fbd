#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

#include <fastgpu/aggregate/exact.hpp>
#include <fastgpu/aggregate/operations.hpp>

/// @file
/// How values of one type merge, for code that does not know the type: forests, ledgers, sessions.

namespace fastgpu::inline v0::detail {

template <class Op>
constexpr bool is_commutative()
{
  if constexpr (requires { Op::commutative; }) {
    return Op::commutative;
  } else {
    return false;
  }
}
template <class Op>
constexpr bool is_order_free()
{
  if constexpr (requires { Op::order_free; }) {
    return Op::order_free;
  } else {
    return false;
  }
}
template <class Op>
constexpr const char* operation_name()
{
  if constexpr (requires { Op::name; }) {
    return Op::name;
  } else {
    return "a custom operation";
  }
}
template <class Op, class V>
concept has_identity = requires {
  { Op::identity() } -> std::convertible_to<V>;
};

/// Types of numbers that libraries beside this one can merge too.
enum class scalar_kind : std::uint8_t { none, int32, uint32, int64, uint64, float32, float64 };
/// Their ways to merge two numbers. Of floating-point numbers the sum alone: on NaN and -0 minima disagree.
enum class merge_kind : std::uint8_t { other, sum, minimum, maximum };

template <class T>
constexpr scalar_kind scalar_kind_of()
{
  if constexpr (std::is_same_v<T, float>) {
    return scalar_kind::float32;
  } else if constexpr (std::is_same_v<T, double>) {
    return scalar_kind::float64;
  } else if constexpr (std::is_integral_v<T> && sizeof(T) == 4) {
    return std::is_signed_v<T> ? scalar_kind::int32 : scalar_kind::uint32;
  } else if constexpr (std::is_integral_v<T> && sizeof(T) == 8) {
    return std::is_signed_v<T> ? scalar_kind::int64 : scalar_kind::uint64;
  } else {
    return scalar_kind::none;
  }
}
template <class Op, class V>
constexpr merge_kind merge_kind_of()
{
  if constexpr (std::is_same_v<Op, sum<V>>) return merge_kind::sum;
  if constexpr (std::is_same_v<Op, minimum<V>> && std::is_integral_v<V>) return merge_kind::minimum;
  if constexpr (std::is_same_v<Op, maximum<V>> && std::is_integral_v<V>) return merge_kind::maximum;
  return merge_kind::other;
}

/// Functions on values of `bytes` bytes. `width` is the number of elements of a vector value, 1 for a scalar.
struct value_table {
  const char* name = "";
  std::uint32_t bytes = 0;
  bool commutative = false;
  bool order_free = false;
  scalar_kind scalar = scalar_kind::none;    ///< What a value is, and
  merge_kind kind = merge_kind::other;       ///< how two merge, where others than the operation can do that.
  void (*merge)(const void* op, void* left, const void* right, std::int64_t width) = nullptr;
  void (*identity)(void* value, std::int64_t width) = nullptr;  ///< Null where there is none.

  std::uint32_t exact_bytes = 0;  ///< 0: mode `exact` cannot serve this operation.
  void (*exact_clear)(void* state) = nullptr;
  void (*exact_merge)(void* into, const void* from) = nullptr;  ///< Normalises both sides' sum.
  void (*exact_value)(const void* state, void* value) = nullptr;
};

/// Merges `right` into `left`, element by element.
template <class Op, class V>
void merge_values(const void* op, void* left, const void* right, std::int64_t width)
{
  const auto& operation = *static_cast<const Op*>(op);
  auto* to = static_cast<V*>(left);
  const auto* from = static_cast<const V*>(right);
  for (std::int64_t i = 0; i < width; ++i) to[i] = operation(to[i], from[i]);
}

template <class Op, class V>
constexpr value_table make_value_table()
{
  value_table t;
  t.name = operation_name<Op>();
  t.bytes = sizeof(V);
  t.commutative = is_commutative<Op>();
  t.order_free = is_order_free<Op>();
  t.scalar = scalar_kind_of<V>();
  t.kind = merge_kind_of<Op, V>();
  t.merge = &merge_values<Op, V>;
  if constexpr (has_identity<Op, V>) {
    t.identity = [](void* value, std::int64_t width) {
      for (std::int64_t i = 0; i < width; ++i) new (static_cast<V*>(value) + i) V(Op::identity());
    };
  }
  if constexpr (exact_state<Op>::supported) {
    using state = exact_state<Op>;
    static_assert(std::is_trivially_copyable_v<state>);
    t.exact_bytes = sizeof(state);
    t.exact_clear = [](void* s) { new (s) state{}; };
    t.exact_merge = [](void* into, const void* from) {
      static_cast<state*>(into)->add(*static_cast<const state*>(from));
      static_cast<state*>(into)->normalize();
    };
    t.exact_value = [](const void* s, void* value) { new (value) V(static_cast<const state*>(s)->value()); };
  }
  return t;
}

template <class Op, class V>
inline constexpr value_table value_table_of = make_value_table<Op, V>();

}  // namespace fastgpu::inline v0::detail

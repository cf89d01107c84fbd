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

/// Functions on values of `bytes` bytes. `width` is the number of elements of a vector value, 1 for a scalar.
struct value_table {
  const char* name = "";
  std::uint32_t bytes = 0;
  bool commutative = false;
  bool order_free = false;
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

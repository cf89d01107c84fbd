#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fastgpu/aggregate/operations.hpp>
#include <fastgpu/aggregate/superaccumulator.hpp>
#include <fastgpu/config.hpp>

/// @file
/// Aggregate stage, mode `exact`: which operations have a state that merges by integer addition.

namespace fastgpu::inline v0::detail {

/// The floating-point types that have a superaccumulator.
template <class T>
concept exactly_summed = std::is_same_v<T, float> || std::is_same_v<T, double>;

/// The exact sum of one scalar of a value: a superaccumulator for floating point, a wrapping integer else.
template <class T>
struct exact_scalar {
  std::int64_t total = 0;  // modulo 2^64
  FASTGPU_HD constexpr void add(T value) { total = plus(total, static_cast<std::int64_t>(value)); }
  template <class AddTo>
  FASTGPU_HD constexpr void add(T value, const AddTo& to)
  {
    to(total, static_cast<std::int64_t>(value));
  }
  FASTGPU_HD constexpr void add(const exact_scalar& other) { total = plus(total, other.total); }
  FASTGPU_HD constexpr void normalize() {}
  FASTGPU_HD constexpr T value() const { return static_cast<T>(total); }

 private:
  FASTGPU_HD static constexpr std::int64_t plus(std::int64_t a, std::int64_t b)
  {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  }
};
template <class T>
  requires exactly_summed<T>
struct exact_scalar<T> : superaccumulator<T> {};

/// The state in which an operation's values are summed exactly: int64 limbs and nothing else, so that states merge by
/// adding theirs one by one. Operations without one have no `add`.
template <class Op>
struct exact_state {
  static constexpr bool supported = false;
};

template <class T>
  requires exactly_summed<T>
struct exact_state<sum<T>> {
  static constexpr bool supported = true;
  exact_scalar<T> scalar{};

  FASTGPU_HD void add(const T& value) { scalar.add(value); }
  template <class AddTo>  // as in superaccumulator
  FASTGPU_HD void add(const T& value, const AddTo& to)
  {
    scalar.add(value, to);
  }
  FASTGPU_HD void add(const T* values, std::size_t n) { scalar.add(values, n); }
  FASTGPU_HD void add(const exact_state& other) { scalar.add(other.scalar); }
  FASTGPU_HD void normalize() { scalar.normalize(); }
  FASTGPU_HD T value() const { return scalar.value(); }
};

template <auto Field>
struct exact_field {
  using traits = member_traits<decltype(Field)>;
  exact_scalar<typename traits::scalar> scalars[traits::count] = {};

  FASTGPU_HD void add(const typename traits::owner& value)
  {
    for (std::size_t i = 0; i < traits::count; ++i) scalars[i].add(scalar_at(value.*Field, i));
  }
  template <class AddTo>
  FASTGPU_HD void add(const typename traits::owner& value, const AddTo& to)
  {
    for (std::size_t i = 0; i < traits::count; ++i) scalars[i].add(scalar_at(value.*Field, i), to);
  }
  FASTGPU_HD void merge(const exact_field& other)
  {
    for (std::size_t i = 0; i < traits::count; ++i) scalars[i].add(other.scalars[i]);
  }
  FASTGPU_HD void normalize()
  {
    for (auto& scalar : scalars) scalar.normalize();
  }
  FASTGPU_HD void round_to(typename traits::owner& value) const
  {
    for (std::size_t i = 0; i < traits::count; ++i) scalar_at(value.*Field, i) = scalars[i].value();
  }
};

template <auto... Fields>
  requires((std::is_integral_v<typename member_traits<decltype(Fields)>::scalar> ||
            exactly_summed<typename member_traits<decltype(Fields)>::scalar>) && ...)
struct exact_state<sum_of<Fields...>> : exact_field<Fields>... {
  static constexpr bool supported = true;
  using value_type = typename sum_of<Fields...>::value_type;

  FASTGPU_HD void add(const value_type& value) { (exact_field<Fields>::add(value), ...); }
  template <class AddTo>
  FASTGPU_HD void add(const value_type& value, const AddTo& to)
  {
    (exact_field<Fields>::add(value, to), ...);
  }
  FASTGPU_HD void add(const exact_state& other) { (exact_field<Fields>::merge(other), ...); }
  FASTGPU_HD void normalize() { (exact_field<Fields>::normalize(), ...); }
  FASTGPU_HD value_type value() const
  {
    value_type rounded{};
    (exact_field<Fields>::round_to(rounded), ...);
    return rounded;
  }
};

}  // namespace fastgpu::inline v0::detail

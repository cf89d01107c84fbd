#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <fastgpu/config.hpp>

/// @file
/// The operations that partial values merge by.
///
/// An operation is a trivially copyable callable `V operator()(const V& left, const V& right) const`, associative. It
/// may also say, as static constants:
///
///   commutative   left and right may be swapped. Lets `ordered` use 256 lanes a subtask and is needed for `fast`.
///                 Default: false, and the elements of a subtask are merged strictly from the first to the last.
///   order_free    any grouping and order give the same bits (integers, minima): every mode then takes the fast way.
///   name          for messages.
///   identity()    the neutral value; what a reduction of nothing gives.

namespace fastgpu::inline v0 {

/// Addition. Integers wrap around, as unsigned ones do.
template <class T>
struct sum {
  using value_type = T;
  static constexpr bool commutative = true;
  static constexpr bool order_free = std::is_integral_v<T>;
  static constexpr const char* name = "sum";

  FASTGPU_HD constexpr T operator()(const T& left, const T& right) const
  {
    if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      using bits = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<bits>(static_cast<bits>(left) + static_cast<bits>(right)));
    } else {
      return static_cast<T>(left + right);
    }
  }
  FASTGPU_HD static constexpr T identity() { return T{}; }
};

/// Multiplication. Integers wrap around.
template <class T>
struct product {
  using value_type = T;
  static constexpr bool commutative = true;
  static constexpr bool order_free = std::is_integral_v<T>;
  static constexpr const char* name = "product";

  FASTGPU_HD constexpr T operator()(const T& left, const T& right) const
  {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<std::uint64_t>(left) * static_cast<std::uint64_t>(right));
    } else {
      return static_cast<T>(left * right);
    }
  }
  FASTGPU_HD static constexpr T identity() { return T{1}; }
};

namespace detail {

/// Total order of numbers with -0 below +0; NaN is above everything, so that it never is a minimum.
template <class T>
FASTGPU_HD constexpr bool ordered_less(const T& a, const T& b)
{
  if constexpr (std::is_floating_point_v<T>) {
    if (a < b) return true;
    if (a != a) return false;
    if (b != b) return true;
    return a == b && a == T{0} && __builtin_signbit(a) && !__builtin_signbit(b);
  } else {
    return a < b;
  }
}

}  // namespace detail

/// The smallest value. NaN is passed over, unless there is nothing else; -0 is below +0.
template <class T>
struct minimum {
  using value_type = T;
  static constexpr bool commutative = true;
  static constexpr bool order_free = std::is_arithmetic_v<T>;  // else equal ones may differ
  static constexpr const char* name = "minimum";

  FASTGPU_HD constexpr T operator()(const T& left, const T& right) const
  {
    if constexpr (std::is_floating_point_v<T>) {
      // One NaN for all, so that the bits do not tell which of several came last.
      if (left != left && right != right) return std::numeric_limits<T>::quiet_NaN();
    }
    return detail::ordered_less(right, left) ? right : left;
  }
};

/// The largest value. NaN is passed over, unless there is nothing else; +0 is above -0.
template <class T>
struct maximum {
  using value_type = T;
  static constexpr bool commutative = true;
  static constexpr bool order_free = std::is_arithmetic_v<T>;  // else equal ones may differ
  static constexpr const char* name = "maximum";

  FASTGPU_HD constexpr T operator()(const T& left, const T& right) const
  {
    if constexpr (std::is_floating_point_v<T>) {
      if (left != left && right != right) return std::numeric_limits<T>::quiet_NaN();
      if (left != left) return right;
      if (right != right) return left;
    }
    return detail::ordered_less(left, right) ? right : left;
  }
};

/// Bitwise or, and, exclusive or.
template <class T>
struct bit_or {
  using value_type = T;
  static constexpr bool commutative = true;
  static constexpr bool order_free = true;
  static constexpr const char* name = "bit_or";
  FASTGPU_HD constexpr T operator()(const T& left, const T& right) const { return static_cast<T>(left | right); }
  FASTGPU_HD static constexpr T identity() { return T{}; }
};
template <class T>
struct bit_and {
  using value_type = T;
  static constexpr bool commutative = true;
  static constexpr bool order_free = true;
  static constexpr const char* name = "bit_and";
  FASTGPU_HD constexpr T operator()(const T& left, const T& right) const { return static_cast<T>(left & right); }
  FASTGPU_HD static constexpr T identity() { return static_cast<T>(~T{}); }
};
template <class T>
struct bit_xor {
  using value_type = T;
  static constexpr bool commutative = true;
  static constexpr bool order_free = true;
  static constexpr const char* name = "bit_xor";
  FASTGPU_HD constexpr T operator()(const T& left, const T& right) const { return static_cast<T>(left ^ right); }
  FASTGPU_HD static constexpr T identity() { return T{}; }
};

/// A value and the index where it was found.
template <class T>
struct located {
  T value{};
  std::uint64_t index = 0;
  friend constexpr bool operator==(const located&, const located&) = default;
};

/// The smallest value and its lowest index.
template <class T>
struct arg_minimum {
  using value_type = located<T>;
  static constexpr bool commutative = true;
  static constexpr bool order_free = std::is_arithmetic_v<T>;  // else equal ones may differ
  static constexpr const char* name = "arg_minimum";

  FASTGPU_HD constexpr value_type operator()(const value_type& left, const value_type& right) const
  {
    if (detail::ordered_less(left.value, right.value)) return left;
    if (detail::ordered_less(right.value, left.value)) return right;
    return left.index <= right.index ? left : right;
  }
};

/// The largest value and its lowest index. NaN is passed over, unless there is nothing else.
template <class T>
struct arg_maximum {
  using value_type = located<T>;
  static constexpr bool commutative = true;
  static constexpr bool order_free = std::is_arithmetic_v<T>;  // else equal ones may differ
  static constexpr const char* name = "arg_maximum";

  FASTGPU_HD constexpr value_type operator()(const value_type& left, const value_type& right) const
  {
    if constexpr (std::is_floating_point_v<T>) {
      const bool no_left = left.value != left.value;
      const bool no_right = right.value != right.value;
      if (no_left != no_right) return no_left ? right : left;
    }
    if (detail::ordered_less(right.value, left.value)) return left;
    if (detail::ordered_less(left.value, right.value)) return right;
    return left.index <= right.index ? left : right;
  }
};

namespace detail {

/// The scalars of a field of `sum_of`: a number, a C array of numbers, or a std::array of them.
template <class Field>
struct field_traits {
  using scalar = typename Field::value_type;
  static constexpr std::size_t count = sizeof(Field) / sizeof(scalar);
};
template <class Field>
  requires std::is_arithmetic_v<Field>
struct field_traits<Field> {
  using scalar = Field;
  static constexpr std::size_t count = 1;
};
template <class T, std::size_t N>
struct field_traits<T[N]> {
  using scalar = T;
  static constexpr std::size_t count = N;
};

/// The i-th scalar of a field. A std::array is read through its bytes' type, for its operator[] is not device code.
template <class Field>
FASTGPU_HD constexpr auto& scalar_at(Field& field, std::size_t i)
{
  using plain = std::remove_const_t<Field>;
  if constexpr (std::is_arithmetic_v<plain>) {
    return (void)i, field;
  } else if constexpr (std::is_array_v<plain>) {
    return field[i];
  } else {
    using scalar = typename field_traits<plain>::scalar;
    using pointer = std::conditional_t<std::is_const_v<Field>, const scalar*, scalar*>;
    return reinterpret_cast<pointer>(&field)[i];
  }
}

template <class Member>
struct member_traits;
template <class Struct, class Field>
struct member_traits<Field Struct::*> {
  using owner = Struct;
  using field = Field;
  using scalar = typename field_traits<Field>::scalar;
  static constexpr std::size_t count = field_traits<Field>::count;
};

template <auto First, auto...>
struct first_member {
  using owner = typename member_traits<decltype(First)>::owner;
};

}  // namespace detail

/// Addition of a struct field by field: `sum_of<&tally::kept, &tally::x>`. Fields are numbers or arrays of numbers;
/// those not named are value-initialised in the sum.
template <auto... Fields>
struct sum_of {
  using value_type = typename detail::first_member<Fields...>::owner;
  static constexpr bool commutative = true;
  static constexpr bool order_free =
      (std::is_integral_v<typename detail::member_traits<decltype(Fields)>::scalar> && ...);
  static constexpr const char* name = "sum_of";

  FASTGPU_HD constexpr value_type operator()(const value_type& left, const value_type& right) const
  {
    value_type total{};
    (add(total.*Fields, left.*Fields, right.*Fields), ...);
    return total;
  }
  FASTGPU_HD static constexpr value_type identity() { return value_type{}; }

 private:
  template <class Field>
  FASTGPU_HD static constexpr void add(Field& to, const Field& left, const Field& right)
  {
    using traits = detail::field_traits<Field>;
    for (std::size_t i = 0; i < traits::count; ++i) {
      detail::scalar_at(to, i) =
          sum<typename traits::scalar>{}(detail::scalar_at(left, i), detail::scalar_at(right, i));
    }
  }
};

}  // namespace fastgpu::inline v0

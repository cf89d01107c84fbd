#pragma once

#include <utility>
#include <variant>

#include <gsl/assert>

#include <fastgpu/error.hpp>

/// @file
/// A value or the reason why there is none.

namespace fastgpu::inline v0 {

/// A T or a failure. Named as in std::expected, to become its alias one day.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : state_{std::in_place_index<0>, std::move(value)} {}      // NOLINT: implicit by design
  result(failure why) : state_{std::in_place_index<1>, std::move(why)} {}    // NOLINT: implicit by design

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

  /// @throws fastgpu::error with error()'s code where there is no value.
  [[nodiscard]] const T& value() const&
  {
    if (!has_value()) throw fastgpu::error{std::get<1>(state_)};
    return std::get<0>(state_);
  }
  [[nodiscard]] T&& value() &&
  {
    if (!has_value()) throw fastgpu::error{std::get<1>(state_)};
    return std::get<0>(std::move(state_));
  }
  /// @pre !has_value()
  [[nodiscard]] const failure& error() const&
  {
    Expects(!has_value());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, failure> state_;
};

}  // namespace fastgpu::inline v0

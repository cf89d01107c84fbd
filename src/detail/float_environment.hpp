#pragma once

#include <cfenv>

/// @file
/// The floating-point environment that kernels and merges see.

namespace fastgpu::inline v0::detail {

/// While it lives, this thread rounds as by default: the user's rounding must not get into a value.
class default_float_environment {
 public:
  default_float_environment() noexcept
  {
    std::fegetenv(&users_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~default_float_environment() { std::fesetenv(&users_); }
  default_float_environment(const default_float_environment&) = delete;
  default_float_environment& operator=(const default_float_environment&) = delete;

 private:
  std::fenv_t users_;
};

}  // namespace fastgpu::inline v0::detail

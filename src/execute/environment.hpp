#pragma once

#include <cstdint>

#include <fastgpu/seconds.hpp>

/// @file
/// What the state machines may ask of the world. They contain no clock, thread, socket or random device: those come
/// through here, so that a simulator with virtual time can run the very same code.

namespace fastgpu::inline v0::detail {

class environment {
 public:
  /// Monotonic time since some fixed start.
  [[nodiscard]] virtual seconds now() = 0;
  /// 64 bits, uniform.
  [[nodiscard]] virtual std::uint64_t random() = 0;

 protected:
  ~environment() = default;
};

}  // namespace fastgpu::inline v0::detail

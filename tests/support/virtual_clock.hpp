#pragma once

#include <cstdint>
#include <random>

#include "execute/environment.hpp"

/// @file
/// An environment in which time passes when it is told to.

namespace support {

class virtual_clock final : public fastgpu::detail::environment {
 public:
  explicit virtual_clock(std::uint64_t seed = 1) : random_{seed} {}

  fastgpu::seconds now() override { return fastgpu::seconds{now_s_}; }
  std::uint64_t random() override { return random_(); }

  void advance_to(double now_s) { now_s_ = now_s; }
  void pass(double time_s) { now_s_ += time_s; }

 private:
  double now_s_ = 0;
  std::mt19937_64 random_;
};

}  // namespace support

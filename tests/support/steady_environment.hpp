#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "execute/environment.hpp"

/// @file
/// An environment in which time passes by itself.

namespace support {

class steady_environment final : public fastgpu::detail::environment {
 public:
  fastgpu::seconds now() override { return std::chrono::steady_clock::now() - start_; }
  std::uint64_t random() override { return random_(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mt19937_64 random_{1};
};

}  // namespace support

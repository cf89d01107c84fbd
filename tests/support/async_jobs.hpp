#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>

#include <fastgpu/fastgpu.hpp>

#include "support/slow_kernel.hpp"

/// @file
/// What tests of the asynchronous functions run: jobs that add up their indices.
///
/// Thread sanitizer does not see the reference count of exceptions, which is inside the C++ run-time library. So that
/// it need not, threads that share one meet before either lets go of it.

namespace support {

inline constexpr auto number = [](std::uint64_t i) { return i; };
inline constexpr auto total = fastgpu::sum<std::uint64_t>{};

inline constexpr auto failing = [](std::uint64_t i) -> std::uint64_t {
  if (i == 427) throw std::runtime_error{"no such luck"};
  return i;
};
inline const auto thousand = fastgpu::space(1000, fastgpu::by_size{10});

/// Of slow kernels: nobody waits for all of it.
inline const auto long_time = fastgpu::space(1'000'000, fastgpu::by_size{1});
inline const auto slow_number = slow(std::chrono::milliseconds{1});

inline auto start(fastgpu::cluster& on, std::int64_t n = 1000, const fastgpu::run_options& options = {})
{
  return fastgpu::execute(on, fastgpu::make_job(n, number, fastgpu::reduced(total)), options);
}
inline auto start_long(fastgpu::cluster& on)
{
  return fastgpu::execute(on, fastgpu::make_job(long_time, slow_number, fastgpu::reduced(total)));
}

}  // namespace support

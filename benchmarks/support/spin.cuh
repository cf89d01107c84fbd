#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "support/gpu.hpp"

/// @file
/// Work of a known length on a GPU: a thread looks at its multiprocessor's clock until so many cycles are over.

namespace bench {

__device__ inline void spin_for(std::int64_t cycles)
{
  const auto begin = clock64();
  while (clock64() - begin < cycles) {
  }
}

__device__ inline std::uint64_t global_nanoseconds()
{
  std::uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

/// Cycles in 10 ms by the GPU's global timer, which is too coarse for short times.
static __global__ void count_cycles(std::int64_t* cycles)
{
  const auto begin = global_nanoseconds();
  const auto first = clock64();
  while (global_nanoseconds() - begin < 10'000'000) {
  }
  *cycles = clock64() - first;
}

/// The second of two measurements: the first one wakes the GPU's clock.
[[nodiscard]] inline double cycles_a_microsecond()
{
  const gpu_array<std::int64_t> on_gpu{1};
  std::int64_t cycles = 0;
  for (int i = 0; i < 2; ++i) {
    count_cycles<<<1, 1>>>(on_gpu.data());
    check(cudaMemcpy(&cycles, on_gpu.data(), sizeof cycles, cudaMemcpyDefault), "counting the GPU's cycles");
  }
  return static_cast<double>(cycles) / 10'000;
}

}  // namespace bench

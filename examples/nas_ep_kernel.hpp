#pragma once

#include <cmath>
#include <cstdint>

#include <fastgpu/fastgpu.hpp>
#include <fastgpu/random/nas.hpp>

/// @file
/// EP's kernel: pairs of normal deviates by the polar method, counted in square annuli. On a GPU it launches for itself:
/// an index has too many pairs for one thread, and there are too few indices for all threads.

inline constexpr int block_log2 = 16;  // pairs of one index, as a power of two
inline constexpr int annuli = 10;

struct ep_tally {
  double sum_x = 0;
  double sum_y = 0;
  std::uint64_t kept = 0;
  std::uint64_t q[annuli] = {};
};
using ep_sum = fastgpu::sum_of<&ep_tally::sum_x, &ep_tally::sum_y, &ep_tally::kept, &ep_tally::q>;

/// The deviates of `count` pairs from pair `first` on.
FASTGPU_HD inline ep_tally tally_pairs(std::uint64_t first, std::uint32_t count)
{
  ep_tally tally;
  auto random = fastgpu::nas_random::at(fastgpu::nas_random::default_seed, 2 * first);
  for (std::uint32_t i = 0; i < count; ++i) {
    const double x = 2.0 * random.next() - 1.0;
    const double y = 2.0 * random.next() - 1.0;
    const double t = x * x + y * y;
    if (t > 1.0) continue;
    const double f = std::sqrt(-2.0 * std::log(t) / t);
    const double deviate_x = x * f;
    const double deviate_y = y * f;
    // On a GPU this index keeps `tally` in local memory; it is cached, and little beside the logarithm.
    ++tally.q[static_cast<int>(std::fmax(std::fabs(deviate_x), std::fabs(deviate_y)))];
    ++tally.kept;
    tally.sum_x += deviate_x;
    tally.sum_y += deviate_y;
  }
  return tally;
}

struct ep_block {
  FASTGPU_HD ep_tally operator()(std::uint64_t number) const
  {
    return tally_pairs(number << block_log2, std::uint32_t{1} << block_log2);
  }
#if defined(__CUDACC__)
  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, ep_tally* values) const;
#endif
};

#if defined(__CUDACC__)

inline constexpr unsigned ep_threads = 256;

/// A thread block a subtask; its threads share out each index's pairs, and merge what they have in a fixed tree.
static __global__ void __launch_bounds__(ep_threads) tally_subtasks(fastgpu::cuda_batch<1> batch, ep_tally* values)
{
  constexpr std::uint32_t pairs = (std::uint32_t{1} << block_log2) / ep_threads;
  __shared__ double sums[2][ep_threads];
  __shared__ unsigned long long counts[annuli + 1];
  const auto t = threadIdx.x;
  if (t <= annuli) counts[t] = 0;
  const auto b = batch[blockIdx.x];
  ep_tally mine;
  for (auto number = b.begin[0]; number < b.end[0]; ++number) {
    const auto some = tally_pairs((static_cast<std::uint64_t>(number) << block_log2) + t * pairs, pairs);
    mine.sum_x += some.sum_x;
    mine.sum_y += some.sum_y;
    mine.kept += some.kept;
    for (int i = 0; i < annuli; ++i) mine.q[i] += some.q[i];
  }
  sums[0][t] = mine.sum_x;
  sums[1][t] = mine.sum_y;
  __syncthreads();
  for (int i = 0; i < annuli; ++i) atomicAdd(&counts[i], static_cast<unsigned long long>(mine.q[i]));
  atomicAdd(&counts[annuli], static_cast<unsigned long long>(mine.kept));
  for (auto step = ep_threads / 2; step > 0; step /= 2) {
    if (t < step) {
      sums[0][t] += sums[0][t + step];
      sums[1][t] += sums[1][t + step];
    }
    __syncthreads();
  }
  if (t != 0) return;
  ep_tally total;
  total.sum_x = sums[0][0];
  total.sum_y = sums[1][0];
  total.kept = counts[annuli];
  for (int i = 0; i < annuli; ++i) total.q[i] = counts[i];
  values[blockIdx.x] = total;
}

inline void ep_block::operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, ep_tally* values) const
{
  tally_subtasks<<<batch.size(), ep_threads, 0, gpu.stream()>>>(batch, values);
}

#endif

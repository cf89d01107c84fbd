#include <cstdint>

#include <fastgpu/fastgpu.hpp>

#include "support/on_gpu.hpp"
#include "support/paired.hpp"

/// @file
/// One large job that is cheap at every index: the sum of an integer hash over 1e9 indices.
///
/// Bound  1.05 of the time of one hand-written kernel of the same arithmetic, its launch and the copy of its total
///        included.

namespace gpu_bench {

struct hash {
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const
  {
    auto x = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
};
FASTGPU_REGISTER("benchmark.hash", hash)

}  // namespace gpu_bench

namespace {

using gpu_bench::hash;

constexpr double time_over_hand_written_max = 1.05;
constexpr unsigned threads = 256;

/// A thread sums in a register, a warp by shuffles, and each warp adds to the total.
__global__ void __launch_bounds__(threads) sum_hashes(std::uint64_t n, unsigned long long* total)
{
  const auto stride = std::uint64_t{gridDim.x} * blockDim.x;
  unsigned long long sum = 0;
  for (auto i = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) sum += hash{}(i);
  for (unsigned step = 16; step >= 1; step /= 2) sum += __shfl_down_sync(0xffffffff, sum, step);
  if (threadIdx.x % 32 == 0) atomicAdd(total, sum);
}

void index_sum(benchmark::State& state)
{
  const auto n = bench::sized<std::uint64_t>(1'000'000'000, 100'000);
  fastgpu::cluster cluster{"cuda:0"};
  std::uint64_t ours = 0;

  const bench::gpu_stream stream;
  const bench::gpu_array<unsigned long long> total{1};
  const bench::pinned_array<unsigned long long> theirs{1};
  const auto blocks = static_cast<unsigned>(bench::resident_blocks(sum_hashes, threads));

  bench::paired contest{1, bench::sized(10, 1)};
  contest.add("fastgpu", [&] { ours = fastgpu::reduce(cluster, n, hash{}, fastgpu::sum<std::uint64_t>{}).get(); });
  contest.add("hand-written kernel", [&] {
    bench::check(cudaMemsetAsync(total.data(), 0, sizeof(unsigned long long), stream.get()), "clearing the total");
    sum_hashes<<<blocks, threads, 0, stream.get()>>>(n, total.data());
    bench::check(
        cudaMemcpyAsync(theirs.data(), total.data(), sizeof(unsigned long long), cudaMemcpyDefault, stream.get()),
        "copying the total");
    stream.wait();
  });
  contest.run(25);
  if (ours != *theirs.data()) return bench::fail(state, "fastgpu and the hand-written kernel have different sums");
  bench::report(state, contest, {bench::time_over_best_peer(contest, time_over_hand_written_max)});
}

const bench::registration all{[] { bench::add_on_gpu("gpu/index_sum", index_sum); }};

}  // namespace

#include <cmath>
#include <cstdint>
#include <cstring>

#include <fastgpu/fastgpu.hpp>

#include "nas_ep_kernel.hpp"
#include "support/on_gpu.hpp"
#include "support/paired.hpp"

/// @file
/// NAS EP class C, 2^32 pairs: the job of examples/nas_ep.cpp, which launches for itself, and one hand-written kernel of
/// the same arithmetic.
///
/// Bound  1.05 of a hand-written kernel's time. Both must meet the published answer.

FASTGPU_REGISTER("benchmark.nas_ep", ep_block)

namespace {

constexpr double time_over_hand_written_max = 1.05;
constexpr unsigned threads = 128;
constexpr int pairs_log2 = 13;  // of a thread: enough threads for a large GPU

template <class T>
__device__ T sum_of_warp(T v)
{
  for (unsigned step = 16; step >= 1; step /= 2) v += __shfl_down_sync(0xffffffff, v, step);
  return v;
}
__device__ void add(std::uint64_t* to, std::uint64_t v)
{
  atomicAdd(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(v));
}

/// So many pairs a thread; a warp sums by shuffles and adds to the total. @pre  n is a multiple of the threads.
__global__ void __launch_bounds__(threads) count_pairs(std::uint64_t n, ep_tally* total)
{
  const auto i = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const auto mine = tally_pairs(i << pairs_log2, std::uint32_t{1} << pairs_log2);
  const auto sum_x = sum_of_warp(mine.sum_x);
  const auto sum_y = sum_of_warp(mine.sum_y);
  const auto kept = sum_of_warp(mine.kept);
  const bool first = threadIdx.x % 32 == 0;
  if (first) {
    atomicAdd(&total->sum_x, sum_x);
    atomicAdd(&total->sum_y, sum_y);
    add(&total->kept, kept);
  }
  for (int l = 0; l < annuli; ++l) {
    const auto q = sum_of_warp(mine.q[l]);
    if (first) add(&total->q[l], q);
  }
}

bool is_class_c(const ep_tally& t)
{
  constexpr double sum_x = 4.764367927995374e4;
  constexpr double sum_y = -8.084072988043731e4;
  return t.kept == 3373275903 && std::fabs((t.sum_x - sum_x) / sum_x) <= 1e-8 &&
         std::fabs((t.sum_y - sum_y) / sum_y) <= 1e-8;
}

void nas_ep(benchmark::State& state)
{
  const int m = bench::sized(32, 24);
  const auto n = std::uint64_t{1} << (m - pairs_log2);
  const fastgpu::space<1> blocks{std::int64_t{1} << (m - block_log2), fastgpu::by_size{1}};
  fastgpu::cluster cluster{"cuda:0"};
  ep_tally ours;
  const bench::gpu_stream stream;
  const bench::gpu_array<ep_tally> total{1};
  ep_tally theirs;

  bench::paired contest;
  contest.add("fastgpu", [&] { ours = fastgpu::reduce(cluster, blocks, ep_block{}, ep_sum{}).get(); });
  contest.add("hand-written kernel", [&] {
    bench::check(cudaMemsetAsync(total.data(), 0, sizeof(ep_tally), stream.get()), "clearing the total");
    count_pairs<<<static_cast<unsigned>(n / threads), threads, 0, stream.get()>>>(n, total.data());
    bench::check(cudaGetLastError(), "launching a kernel");
    bench::check(cudaMemcpyAsync(&theirs, total.data(), sizeof theirs, cudaMemcpyDefault, stream.get()),
                 "copying the total");
    stream.wait();
  });
  contest.run(25);
  if (ours.kept != theirs.kept || std::memcmp(ours.q, theirs.q, sizeof ours.q) != 0) {
    return bench::fail(state, "fastgpu and the hand-written kernel have different counts");
  }
  if (!bench::effort_of_all().smoke && (!is_class_c(ours) || !is_class_c(theirs))) {
    return bench::fail(state, "the published answer of class C is not met");
  }
  bench::report(state, contest, {bench::time_over_best_peer(contest, time_over_hand_written_max)});
}

const bench::registration all{[] { bench::add_on_gpu("gpu/nas_ep/C", nas_ep); }};

}  // namespace

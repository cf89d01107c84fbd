#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/on_gpu.hpp"
#include "support/paired.hpp"

/// @file
/// Vectors that own launches leave for each subtask, reduced in mode `ordered`: siblings merged on the GPU against each
/// copied and merged on the host, over the vectors' size. From where on the GPU pays is what
/// gpu_options::resident_bytes_min should be. Nothing bounds it.

namespace gpu_bench {

/// A row of blocks a subtask. Multiples of 2^-8, whose sum has different bits in any other order once it is rounded.
static __global__ void fill_vectors(std::uint32_t first, float* values, std::int64_t width)
{
  const auto s = blockIdx.y;
  const auto threads = std::int64_t{gridDim.x} * blockDim.x;
  for (auto k = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; k < width; k += threads) {
    const auto bits = (static_cast<std::uint32_t>(k) + (first + s) * 0x9e3779b9u) * 0x85ebca6bu;
    values[s * width + k] = static_cast<float>(bits >> 3) / 256.0f;
  }
}

struct vectors {
  std::int64_t width;
  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, float* values) const
  {
    constexpr std::int64_t threads = 256;
    constexpr std::int64_t blocks_max = 64;
    const auto wanted = (width + threads - 1) / threads;
    const dim3 blocks{static_cast<unsigned>(wanted < blocks_max ? wanted : blocks_max), batch.size()};
    fill_vectors<<<blocks, threads, 0, gpu.stream()>>>(batch.first_subtask(), values, width);
  }
  /// For cores, where nobody measures it.
  void operator()(fastgpu::block<1>, fastgpu::tally<fastgpu::sum<float>>) const {}
};
FASTGPU_REGISTER("benchmark.vectors", vectors)

}  // namespace gpu_bench

namespace {

fastgpu::cluster one_gpu(std::uint64_t resident_bytes_min)
{
  fastgpu::cluster_options options;
  options.devices = "cuda:0";
  options.gpu.resident_bytes_min = resident_bytes_min;
  return fastgpu::cluster{options};
}

void ordered_vectors(benchmark::State& state, std::size_t bytes)
{
  auto resident = one_gpu(1);
  auto on_host = one_gpu(0);
  const auto width = static_cast<std::int64_t>(bench::sized(bytes / sizeof(float), std::size_t{1} << 10));
  const auto job = fastgpu::make_job(fastgpu::space<1>{256, fastgpu::by_size{1}}, gpu_bench::vectors{width},
                                     fastgpu::reduced(fastgpu::sum<float>{}, width));
  std::vector<float> kept;
  std::vector<float> copied;
  bench::paired contest{1, 1};
  contest.add("merged on the GPU", [&] { kept = fastgpu::aggregate(fastgpu::execute(resident, job)).get(); });
  contest.add("merged on the host", [&] { copied = fastgpu::aggregate(fastgpu::execute(on_host, job)).get(); });
  contest.run(15);
  if (kept != copied) return bench::fail(state, "the GPU and the host have different sums");
  bench::report(state, contest,
                {{.what = "time over the host's", .key = "time_over_host", .value = contest.ratio(0, 1)}});
}

const bench::registration all{[] {
  for (const std::size_t kib : {std::size_t{32}, std::size_t{1024}, std::size_t{32768}}) {
    const auto size = kib < 1024 ? std::to_string(kib) + "KiB" : std::to_string(kib / 1024) + "MiB";
    bench::add_on_gpu("gpu/ordered_vectors/" + size,
                      [kib](benchmark::State& state) { ordered_vectors(state, kib << 10); });
  }
}};

}  // namespace

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <cub/device/device_reduce.cuh>
#include <fastgpu/fastgpu.hpp>

#include "support/on_gpu.hpp"
#include "support/paired.hpp"

/// @file
/// The sum of doubles that lie in the GPU's memory, in each mode.
///
/// Bounds  1.10 of cub::DeviceReduce::Sum's time, which promises the same bits on one GPU only. The time of a copy that
///         moves as many bytes, half of them read and half of them written, is for information: nothing that has to
///         read them all should be much quicker.

namespace gpu_bench {

struct itself {
  FASTGPU_HD double operator()(double x) const { return x; }
};
FASTGPU_REGISTER("benchmark.itself", itself)

}  // namespace gpu_bench

namespace {

constexpr double time_over_cub_max = 1.10;

/// Both halves alike, so that a copy of one onto the other changes nothing.
__global__ void fill(double* data, std::size_t n)
{
  const auto stride = std::size_t{gridDim.x} * blockDim.x;
  for (auto i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) {
    data[i] = 1.0 / static_cast<double>(1 + i % (n / 2));
  }
}

void memory_sum(benchmark::State& state, fastgpu::reduction mode)
{
  // 16 GiB, where there is room: far more than any cache, and milliseconds even so.
  const auto wanted = std::min(std::size_t{1} << 31, bench::free_gpu_bytes() / 4 / sizeof(double) / 2 * 2);
  const auto n = bench::sized(wanted, std::size_t{1} << 16);
  const bench::gpu_array<double> data{n};
  fill<<<static_cast<unsigned>(bench::resident_blocks(fill, 256)), 256>>>(data.data(), n);
  bench::check(cudaDeviceSynchronize(), "filling memory");

  const bench::gpu_stream stream;
  const bench::gpu_array<double> total{1};
  const bench::pinned_array<double> theirs{1};
  const auto count = static_cast<std::int64_t>(n);
  std::size_t scratch_bytes = 0;
  bench::check(cub::DeviceReduce::Sum(nullptr, scratch_bytes, data.data(), total.data(), count, stream.get()),
               "cub::DeviceReduce::Sum");
  const bench::gpu_array<char> scratch{scratch_bytes};

  fastgpu::cluster cluster{"cuda:0"};
  const fastgpu::data_view<double, 1> on_gpu{
      data.data(), fastgpu::extents<1>{{count}}, {fastgpu::memory_kind::device, 0}};
  double ours = 0;

  const bool slow = mode == fastgpu::reduction::exact;  // it adds to 544 bytes of limbs, not to a double
  bench::paired contest{1, bench::sized(slow ? 1 : 5, 1)};
  contest.add("fastgpu", [&] {
    ours = fastgpu::map_reduce(cluster, on_gpu, gpu_bench::itself{}, fastgpu::sum<double>{}, {.reduction = mode}).get();
  });
  contest.add("cub::DeviceReduce", [&] {
    auto bytes = scratch_bytes;
    bench::check(cub::DeviceReduce::Sum(scratch.data(), bytes, data.data(), total.data(), count, stream.get()),
                 "cub::DeviceReduce::Sum");
    bench::check(cudaMemcpyAsync(theirs.data(), total.data(), sizeof(double), cudaMemcpyDefault, stream.get()),
                 "copying the total");
    stream.wait();
  });
  contest.add("copy of as many bytes", [&] {
    bench::check(
        cudaMemcpyAsync(data.data() + n / 2, data.data(), n / 2 * sizeof(double), cudaMemcpyDefault, stream.get()),
        "copying on the GPU");
    stream.wait();
  });
  contest.run(slow ? 9 : 25);
  if (!(std::fabs(ours - *theirs.data()) <= 1e-9 * *theirs.data())) {
    return bench::fail(state, "fastgpu and CUB have different sums");
  }

  std::vector<bench::figure> figures{
      {.what = "time over CUB's", .key = "time_over_cub", .value = contest.ratio(0, 1), .bound = time_over_cub_max},
      {.what = "time over the copy's", .key = "time_over_copy", .value = contest.ratio(0, 2)},
      {.what = "CUB's time over the copy's", .key = "cub_over_copy", .value = contest.ratio(1, 2)},
      {.what = "bandwidth, fastgpu",
       .key = "gigabytes_a_second",
       .value = contest.each_round([bytes = static_cast<double>(data.bytes())](const std::vector<double>& seconds) {
         return bytes / seconds[0] * 1e-9;
       }),
       .unit = "GB/s"}};
  if (slow) figures[0].bound.reset();
  bench::report(state, contest, figures);
}

const bench::registration all{[] {
  for (const auto mode : {fastgpu::reduction::ordered, fastgpu::reduction::fast, fastgpu::reduction::exact}) {
    bench::add_on_gpu(std::string{"gpu/memory_sum/"} + fastgpu::to_string(mode),
                      [mode](benchmark::State& state) { memory_sum(state, mode); });
  }
}};

}  // namespace

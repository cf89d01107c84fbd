#include <cstdint>

#include <fastgpu/fastgpu.hpp>

#include "mandelbrot_kernel.hpp"
#include "support/on_gpu.hpp"
#include "support/paired.hpp"

/// @file
/// The Mandelbrot set on 16,384 x 16,384 pixels, counts and totals, the counts staying on the GPU: as
/// examples/mandelbrot.cpp.
///
/// Bound  1.05 of a hand-written kernel's time.

FASTGPU_REGISTER("benchmark.mandelbrot", count_updates)

namespace {

constexpr double time_over_hand_written_max = 1.05;
constexpr unsigned columns = 32;  // of a block: a warp has neighbours of a row
constexpr unsigned rows = 8;

/// A thread a pixel; a warp sums by shuffles and adds to the totals. @pre  The blocks cover the picture exactly.
__global__ void __launch_bounds__(columns* rows)
    count_pixels(count_updates kernel, std::uint32_t* counts, std::int64_t width, unsigned long long* totals)
{
  const auto column = std::int64_t{blockIdx.x} * columns + threadIdx.x;
  const auto row = std::int64_t{blockIdx.y} * rows + threadIdx.y;
  const auto done = kernel.count(row, column);
  counts[row * width + column] = done;
  auto total = done;
  for (unsigned step = 16; step >= 1; step /= 2) total += __shfl_down_sync(0xffffffff, total, step);
  const auto inside = __popc(__ballot_sync(0xffffffff, done == kernel.iterations));
  if (threadIdx.x != 0) return;
  atomicAdd(totals, static_cast<unsigned long long>(total));
  atomicAdd(totals + 1, static_cast<unsigned long long>(inside));
}

void mandelbrot(benchmark::State& state)
{
  const std::int64_t edge = bench::sized(16'384, 256);
  const auto size = static_cast<std::size_t>(edge * edge);
  const count_updates kernel{-2, -1.5, 3.0 / static_cast<double>(edge), 3.0 / static_cast<double>(edge), 256};
  const bench::gpu_array<std::uint32_t> counts{size};
  fastgpu::cluster cluster{"cuda:0"};
  const fastgpu::extents<2> picture{{edge, edge}};
  const fastgpu::data_view<std::uint32_t, 2> on_gpu{counts.data(), picture, {fastgpu::memory_kind::device, 0}};
  const auto job = fastgpu::make_job(picture, kernel, fastgpu::gather(on_gpu), fastgpu::reduced(escape_sum{}));
  escape_totals ours;

  const bench::gpu_stream stream;
  const bench::gpu_array<unsigned long long> totals{2};
  const bench::pinned_array<unsigned long long> theirs{2};
  const dim3 grid{static_cast<unsigned>(edge) / columns, static_cast<unsigned>(edge) / rows};

  bench::paired contest;
  contest.add("fastgpu", [&] {
    auto run = fastgpu::execute(cluster, job);
    ours = fastgpu::aggregate(run).get();
  });
  contest.add("hand-written kernel", [&] {
    bench::check(cudaMemsetAsync(totals.data(), 0, totals.bytes(), stream.get()), "clearing the totals");
    count_pixels<<<grid, dim3{columns, rows}, 0, stream.get()>>>(kernel, counts.data(), edge, totals.data());
    bench::check(cudaGetLastError(), "launching a kernel");
    bench::check(cudaMemcpyAsync(theirs.data(), totals.data(), totals.bytes(), cudaMemcpyDefault, stream.get()),
                 "copying the totals");
    stream.wait();
  });
  contest.run(25);
  if (ours != escape_totals{theirs.data()[0], theirs.data()[1]}) {
    return bench::fail(state, "fastgpu and the hand-written kernel have different totals");
  }
  bench::report(state, contest, {bench::time_over_best_peer(contest, time_over_hand_written_max)});
}

const bench::registration all{[] { bench::add_on_gpu("gpu/mandelbrot", mandelbrot); }};

}  // namespace

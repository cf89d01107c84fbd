#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/measurements/measurement.hpp"
#include "support/gpu.hpp"

/// @file
/// Copy in, kernel, copy out: how far they overlap, in pieces of which size, and what many small copies cost.

namespace {

using bench::check;
using measured::median_us;

constexpr std::size_t mebi = std::size_t{1} << 20;
constexpr unsigned threads = 256;

__global__ void __launch_bounds__(threads) evaluate(const float* in, float* out, std::size_t n, int terms)
{
  const auto stride = std::size_t{gridDim.x} * blockDim.x;
  for (auto i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) {
    float sum = 1;
    for (int t = 0; t < terms; ++t) sum = sum * in[i] + 1;
    out[i] = sum;
  }
}

void copy(void* to, const void* from, std::size_t bytes, const bench::gpu_stream& on)
{
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, on.get()), "copying");
}

/// The places that pieces go through, each with the events that say how far its piece is.
struct slot {
  explicit slot(std::size_t n) : in{n}, out{n} {}
  bench::gpu_array<float> in;
  bench::gpu_array<float> out;
  bench::gpu_event copied_in;
  bench::gpu_event computed;
  bench::gpu_event copied_out;
};

void overlap(measured::figures& found)
{
  const std::size_t n = 256 * mebi;  // 1 GiB each way
  const bench::pinned_array<float> from{n};
  const bench::pinned_array<float> to{n};
  std::fill_n(from.data(), n, 0.5f);
  const bench::gpu_stream in;
  const bench::gpu_stream compute;
  const bench::gpu_stream out;
  const auto blocks = static_cast<unsigned>(bench::resident_blocks(evaluate, threads));

  double longest = 0;
  int terms = 1024;
  {
    const bench::gpu_array<float> gpu_in{n};
    const bench::gpu_array<float> gpu_out{n};
    const auto wait = [&] { check(cudaDeviceSynchronize(), "waiting for the GPU"); };
    const auto copy_in = [&] { copy(gpu_in.data(), from.data(), from.bytes(), in); };
    const auto copy_out = [&] { copy(to.data(), gpu_out.data(), to.bytes(), out); };
    const auto kernel = [&] {
      evaluate<<<blocks, threads, 0, compute.get()>>>(gpu_in.data(), gpu_out.data(), n, terms);
      check(cudaGetLastError(), "launching a kernel");
    };
    const auto time = [&](const auto& work) {
      return median_us(5, [&] {
        work();
        wait();
      });
    };
    const auto in_us = time(copy_in);
    const auto out_us = time(copy_out);
    terms = std::max(1, static_cast<int>(terms * in_us / time(kernel)));  // as long as the copy
    const auto kernel_us = time(kernel);
    found.add("copy_in_ms", in_us / 1e3);
    found.add("copy_out_ms", out_us / 1e3);
    found.add("kernel_ms", kernel_us / 1e3);
    found.add("copy_in_gigabytes_a_second", static_cast<double>(from.bytes()) / in_us * 1e-3);
    found.add("copy_out_gigabytes_a_second", static_cast<double>(to.bytes()) / out_us * 1e-3);
    found.add("both_copies_at_once_ms", time([&] {
                                          copy_in();
                                          copy_out();
                                        }) / 1e3);
    longest = std::max({in_us, out_us, kernel_us});
  }

  for (const std::size_t piece : {mebi / 4, mebi, 4 * mebi, 16 * mebi}) {  // elements
    std::vector<slot> slots;
    for (int i = 0; i < 4; ++i) slots.emplace_back(piece);
    const auto took = median_us(5, [&] {
      for (std::size_t at = 0, number = 0; at < n; at += piece, ++number) {
        auto& s = slots[number % slots.size()];
        check(cudaStreamWaitEvent(in.get(), s.copied_out.get(), 0), "waiting on a stream");
        copy(s.in.data(), from.data() + at, piece * sizeof(float), in);
        check(cudaEventRecord(s.copied_in.get(), in.get()), "recording an event");
        check(cudaStreamWaitEvent(compute.get(), s.copied_in.get(), 0), "waiting on a stream");
        evaluate<<<blocks, threads, 0, compute.get()>>>(s.in.data(), s.out.data(), piece, terms);
        check(cudaEventRecord(s.computed.get(), compute.get()), "recording an event");
        check(cudaStreamWaitEvent(out.get(), s.computed.get(), 0), "waiting on a stream");
        copy(to.data() + at, s.out.data(), piece * sizeof(float), out);
        check(cudaEventRecord(s.copied_out.get(), out.get()), "recording an event");
      }
      out.wait();
    });
    found.add("over_longest_stage/" + std::to_string(piece * sizeof(float) / mebi) + "MiB", took / longest);
  }
}

/// Copies of neighbouring pieces, each by a call of its own or all by one.
void many_copies(measured::figures& found)
{
  const bench::gpu_stream stream;
  for (const std::size_t bytes : {std::size_t{4} << 10, std::size_t{64} << 10}) {
    for (const std::size_t count : {8u, 64u, 512u}) {
      const bench::pinned_array<char> from{bytes * count};
      const bench::gpu_array<char> to{bytes * count};
      const auto name = std::to_string(count) + "_copies_of_" + std::to_string(bytes >> 10) + "KiB";
      found.add(name + "_us", median_us(50, [&] {
                  for (std::size_t i = 0; i < count; ++i) {
                    copy(to.data() + i * bytes, from.data() + i * bytes, bytes, stream);
                  }
                  stream.wait();
                }));
#if CUDART_VERSION >= 13000
      std::vector<void*> targets;
      std::vector<const void*> sources;
      const std::vector<std::size_t> sizes(count, bytes);
      for (std::size_t i = 0; i < count; ++i) {
        targets.push_back(to.data() + i * bytes);
        sources.push_back(from.data() + i * bytes);
      }
      cudaMemcpyAttributes attributes = {};
      attributes.srcAccessOrder = cudaMemcpySrcAccessOrderStream;
      std::size_t first = 0;
      found.add(name + "_by_one_call_us", median_us(50, [&] {
                  check(cudaMemcpyBatchAsync(targets.data(), sources.data(), sizes.data(), count, &attributes, &first,
                                             1, stream.get()),
                        "cudaMemcpyBatchAsync");
                  stream.wait();
                }));
#endif
    }
  }
}

void pipeline(measured::figures& found)
{
  overlap(found);
  many_copies(found);
}

const measured::registration added{
    4, {"pipeline", "copy in, kernel, copy out over four slots; many small copies by one call", &pipeline}};

}  // namespace

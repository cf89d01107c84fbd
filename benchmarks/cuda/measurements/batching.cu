#include <algorithm>
#include <string>
#include <vector>

#include "cuda/measurements/measurement.hpp"
#include "support/gpu.hpp"
#include "support/spin.cuh"

/// @file
/// How many subtasks of one block a launch must have, and on how many streams, to keep the GPU busy: the share of the
/// time in which its places for blocks are taken.

namespace {

constexpr unsigned threads = 256;
constexpr unsigned subtasks = 10'000;

__global__ void __launch_bounds__(threads) spin_block(std::int64_t cycles) { bench::spin_for(cycles); }

void batching(measured::figures& found)
{
  const auto places = bench::resident_blocks(spin_block, threads);
  const auto rate = bench::cycles_a_microsecond();
  const std::vector<bench::gpu_stream> streams(8);
  found.add("places", places);
  found.add("cycles_a_us", rate);
  for (const int us : {5, 20, 100, 500}) {
    const auto cycles = static_cast<std::int64_t>(us * rate);
    for (const unsigned lanes : {1u, 2u, 4u, 8u}) {
      for (const unsigned batch : {1u, 4u, 16u, 64u, 256u}) {
        const auto run = [&] {
          unsigned lane = 0;
          for (unsigned done = 0; done < subtasks; done += batch, lane = (lane + 1) % lanes) {
            spin_block<<<std::min(batch, subtasks - done), threads, 0, streams[lane].get()>>>(cycles);
          }
          bench::check(cudaDeviceSynchronize(), "waiting for kernels");
        };
        // One after the other they may take seconds.
        const auto expected_us = static_cast<double>(subtasks) / batch / lanes * us;
        const auto begin = measured::now_us();
        run();
        auto took = measured::now_us() - begin;
        if (expected_us < 2e5) took = measured::median_us(5, run);
        found.add("busy_share/" + std::to_string(us) + "us/lanes:" + std::to_string(lanes) +
                      "/batch:" + std::to_string(batch),
                  static_cast<double>(subtasks) * us / (took * places));
      }
    }
  }
}

const measured::registration added{
    3, {"batching", "10,000 blocks of 5 to 500 us by launches of 1 to 256, on 1 to 8 streams: busy share", &batching}};

}  // namespace

#include "support/on_gpu.hpp"

/// @file
/// Aggregation of GPUs' partials by NCCL against merging them on the host, over the partial's size: where it begins to
/// pay. Here it goes, once there are two GPUs to reduce between.

namespace {

const bench::registration all{[] {
  bench::add("gpu/nccl_aggregate",
             [](benchmark::State& state) { state.SkipWithError("NCCL takes no part in aggregation yet"); });
}};

}  // namespace

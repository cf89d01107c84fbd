#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <cuda.h>

#include "cuda/measurements/measurement.hpp"
#include "support/gpu.hpp"
#include "support/spin.cuh"

/// @file
/// Parts of a GPU: the multiprocessors of a green context and who else runs on them, and a memory pool with a limit.

namespace {

using bench::check;

#if CUDART_VERSION >= 12050
/// A function of the driver's, which nothing is linked to.
template <class Function>
Function* driver_function(const char* name)
{
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result;
  const auto status = cudaGetDriverEntryPointByVersion(name, &found, 12040, cudaEnableDefault, &result);
  if (status != cudaSuccess || result != cudaDriverEntryPointSuccess || found == nullptr) {
    (void)cudaGetLastError();
    throw measured::skipped{std::string{"the driver has no "} + name};
  }
  return reinterpret_cast<Function*>(found);
}
#define FASTGPU_DRIVER(name) driver_function<decltype(name)>(#name)

void check_driver(CUresult status, const char* doing)
{
  if (status != CUDA_SUCCESS) throw std::runtime_error{std::string{doing} + ": error " + std::to_string(status)};
}

__global__ void note_multiprocessor(std::uint32_t* of_block, std::int64_t cycles)
{
  std::uint32_t number;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(number));
  if (threadIdx.x == 0) of_block[blockIdx.x] = number;
  bench::spin_for(cycles);
}

/// Blocks that fill the GPU several times; where they ran.
class census {
 public:
  explicit census(double us)
      : of_block_{static_cast<std::size_t>(bench::gpu_here().multiprocessors) * 32},
        cycles_{static_cast<std::int64_t>(us * bench::cycles_a_microsecond())}
  {
  }
  void start(cudaStream_t on) const
  {
    note_multiprocessor<<<static_cast<unsigned>(of_block_.size()), 256, 0, on>>>(of_block_.data(), cycles_);
    check(cudaGetLastError(), "launching a kernel");
  }
  [[nodiscard]] std::set<std::uint32_t> seen() const
  {
    std::vector<std::uint32_t> numbers(of_block_.size());
    check(cudaDeviceSynchronize(), "waiting for kernels");
    check(cudaMemcpy(numbers.data(), of_block_.data(), of_block_.bytes(), cudaMemcpyDefault), "copying numbers");
    return {numbers.begin(), numbers.end()};
  }

 private:
  bench::gpu_array<std::uint32_t> of_block_;
  std::int64_t cycles_;
};

int in_both(const std::set<std::uint32_t>& a, const std::set<std::uint32_t>& b)
{
  return static_cast<int>(std::count_if(a.begin(), a.end(), [&](auto number) { return b.count(number) != 0; }));
}

void green_contexts(measured::figures& found)
{
  check(cudaFree(nullptr), "making the context");
  CUdevResource all = {};
  check_driver(FASTGPU_DRIVER(cuDeviceGetDevResource)(0, &all, CU_DEV_RESOURCE_TYPE_SM), "cuDeviceGetDevResource");
  found.add("multiprocessors", all.sm.smCount);
#if CUDA_VERSION >= 13000
  found.add("least_group", all.sm.minSmPartitionSize);
  found.add("alignment", all.sm.smCoscheduledAlignment);
#endif
  const auto split = FASTGPU_DRIVER(cuDevSmResourceSplitByCount);
  unsigned groups = 0;
  check_driver(split(nullptr, &groups, &all, nullptr, 0, 8), "cuDevSmResourceSplitByCount");
  found.add("groups_of_8", groups);

  CUdevResource parts[2] = {};
  unsigned one = 1;
  check_driver(split(&parts[0], &one, &all, &parts[1], 0, 8), "cuDevSmResourceSplitByCount");
  found.add("granted_for_8", parts[0].sm.smCount);
  CUgreenCtx contexts[2] = {};
  CUstream streams[2] = {};
  for (int i = 0; i < 2; ++i) {
    CUdevResourceDesc description = nullptr;
    check_driver(FASTGPU_DRIVER(cuDevResourceGenerateDesc)(&description, &parts[i], 1), "cuDevResourceGenerateDesc");
    const auto begin = measured::now_us();
    check_driver(FASTGPU_DRIVER(cuGreenCtxCreate)(&contexts[i], description, 0, CU_GREEN_CTX_DEFAULT_STREAM),
                 "cuGreenCtxCreate");
    found.add(i == 0 ? "create_us" : "create_rest_us", measured::now_us() - begin);
    check_driver(FASTGPU_DRIVER(cuGreenCtxStreamCreate)(&streams[i], contexts[i], CU_STREAM_NON_BLOCKING, 0),
                 "cuGreenCtxStreamCreate");
  }

  const census group{200};
  const census rest{200};
  const census whole{200};
  group.start(streams[0]);
  const auto of_group = group.seen();
  found.add("used_by_the_group", static_cast<double>(of_group.size()));
  group.start(streams[0]);
  rest.start(streams[1]);
  found.add("of_the_group_used_by_the_rest", in_both(of_group, rest.seen()));
  const bench::gpu_stream primary;
  group.start(streams[0]);
  whole.start(primary.get());
  found.add("of_the_group_used_by_the_primary_context", in_both(of_group, whole.seen()));
  for (int i = 0; i < 2; ++i) {
    check(cudaStreamDestroy(streams[i]), "destroying a stream");
    check_driver(FASTGPU_DRIVER(cuGreenCtxDestroy)(contexts[i]), "cuGreenCtxDestroy");
  }
}
#else
void green_contexts(measured::figures&) { throw measured::skipped{"built with a CUDA before 12.5"}; }
#endif

/// What a pool does at its limit, and where it is.
void limited_pool(measured::figures& found)
{
#if CUDART_VERSION >= 12020
  constexpr std::size_t limit = std::size_t{64} << 20;
  cudaMemPoolProps wanted = {};
  wanted.allocType = cudaMemAllocationTypePinned;
  wanted.location.type = cudaMemLocationTypeDevice;
  wanted.maxSize = limit;
  cudaMemPool_t pool = nullptr;
  check(cudaMemPoolCreate(&pool, &wanted), "making a pool");
  const bench::gpu_stream stream;
  const auto fits = [&](std::size_t bytes) {
    void* memory = nullptr;
    const auto status = cudaMallocFromPoolAsync(&memory, bytes, pool, stream.get());
    if (status != cudaSuccess) {
      (void)cudaGetLastError();
      return status;
    }
    check(cudaFreeAsync(memory, stream.get()), "freeing memory");
    stream.wait();
    check(cudaMemPoolTrimTo(pool, 0), "trimming a pool");
    return status;
  };
  std::size_t most = 0;
  for (auto step = 2 * limit; step >= 1 << 16; step /= 2) {
    if (fits(most + step) == cudaSuccess) most += step;
  }
  found.add("pool_limit_bytes", static_cast<double>(limit));
  found.add("pool_gives_bytes", static_cast<double>(most));
  found.add("pool_error", std::string{cudaGetErrorName(fits(most + (1 << 20)))});
  check(cudaMemPoolDestroy(pool), "destroying a pool");
#else
  (void)found;
#endif
}

void slices(measured::figures& found)
{
  limited_pool(found);
  green_contexts(found);
}

const measured::registration added{
    5,
    {"green_contexts", "a group of 8 multiprocessors: what is granted, who else runs there; a pool's limit", &slices}};

}  // namespace

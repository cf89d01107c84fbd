#include "gpu.hpp"

#include <stdexcept>

namespace bench {
namespace {

gpu_facts find_gpu()
{
  gpu_facts found;
  (void)cudaRuntimeGetVersion(&found.runtime);
  if (cudaDriverGetVersion(&found.driver) != cudaSuccess) found.driver = 0;
  int count = 0;
  const auto status = cudaGetDeviceCount(&count);
  (void)cudaGetLastError();
  if (found.driver == 0) {
    found.why_none = "there is no NVIDIA driver";
  } else if (status != cudaSuccess) {
    found.why_none = cudaGetErrorString(status);
  } else if (count == 0) {
    found.why_none = "there is no CUDA GPU that this process may use";
  }
  if (!found.there()) return found;

  cudaDeviceProp p;
  check(cudaGetDeviceProperties(&p, 0), "asking for the GPU's properties");
  int kilohertz = 0;
  int bits = 0;
  (void)cudaDeviceGetAttribute(&kilohertz, cudaDevAttrMemoryClockRate, 0);
  (void)cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, 0);
  found.name = p.name;
  found.compute_capability = 10 * p.major + p.minor;
  found.multiprocessors = p.multiProcessorCount;
  found.memory_bytes = p.totalGlobalMem;
  found.bytes_a_second = 2.0 * kilohertz * 1000 * (bits / 8);  // two transfers a clock
  return found;
}

}  // namespace

void check(cudaError_t status, const char* doing)
{
  if (status == cudaSuccess) return;
  throw std::runtime_error{std::string{doing} + ": " + cudaGetErrorName(status) + " (" + cudaGetErrorString(status) +
                           ")"};
}

const gpu_facts& gpu_here()
{
  static const gpu_facts facts = find_gpu();
  return facts;
}

std::string cuda_version(int number)
{
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::size_t free_gpu_bytes()
{
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for free memory");
  return free;
}

void* detail::allocate_gpu(std::size_t bytes)
{
  void* memory = nullptr;
  check(cudaMalloc(&memory, bytes), "allocating memory of the GPU");
  return memory;
}

void* detail::allocate_pinned(std::size_t bytes)
{
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, bytes, cudaHostAllocPortable), "allocating page-locked memory");
  return memory;
}

gpu_stream::gpu_stream()
{
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "making a stream");
  handle_.reset(made);
}

void gpu_stream::wait() const { check(cudaStreamSynchronize(handle_.get()), "waiting for a stream"); }

gpu_event::gpu_event()
{
  cudaEvent_t made = nullptr;
  check(cudaEventCreateWithFlags(&made, cudaEventDisableTiming), "making an event");
  handle_.reset(made);
}

}  // namespace bench

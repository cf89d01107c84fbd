#include <fastgpu/cuda/streams.hpp>

#include <cuda.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/error.hpp>

#include "cluster/cluster_core.hpp"
#include "cuda/cuda_device.hpp"

namespace fastgpu::inline v0 {
namespace {

void check(cudaError_t error, const char* doing)
{
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();
  throw fastgpu::error{errc::device_failed, std::string{doing} + ": " + cudaGetErrorName(error)};
}

/// A word of pinned memory that a stream waits for to be 1.
struct gate {
  int gpu = 0;  // whose event it is
  std::uint32_t* word = nullptr;
  cudaEvent_t passed = nullptr;  // recorded behind the wait
};

/// Gates are used again once their stream is past them, and never freed: a stream may wait at one until the end of the
/// process.
class gates {
 public:
  gate* take()
  {
    int gpu = 0;
    check(cudaGetDevice(&gpu), "cudaGetDevice");
    const std::scoped_lock lock{mutex_};
    for (const auto& g : all_) {
      if (g->gpu != gpu || std::atomic_ref{*g->word}.load(std::memory_order_relaxed) == 0) continue;
      if (cudaEventQuery(g->passed) == cudaSuccess) {
        *g->word = 0;
        return g.get();
      }
      (void)cudaGetLastError();  // not ready
    }
    auto made = std::make_unique<gate>();
    made->gpu = gpu;
    check(cudaEventCreateWithFlags(&made->passed, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    check(cudaHostAlloc(reinterpret_cast<void**>(&made->word), sizeof *made->word, cudaHostAllocPortable),
          "cudaHostAlloc");
    *made->word = 0;
    return all_.emplace_back(std::move(made)).get();
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<gate>> all_;  // guarded by mutex_
};

gates& all_gates()
{
  static auto* instance = new gates;
  return *instance;
}

void open_gate(void* what)
{
  std::atomic_ref{*static_cast<gate*>(what)->word}.store(1, std::memory_order_release);
}

/// The runtime has no call for it. @see  CUDA Driver API, "Stream Memory Operations".
void wait_for_word(cudaStream_t stream, const std::uint32_t* word)
{
  using function = CUresult (*)(CUstream, CUdeviceptr, cuuint32_t, unsigned);
  void* found = nullptr;
  auto status = cudaDriverEntryPointSymbolNotFound;
  constexpr unsigned since = 12000;  // CUDA 12.0, whose version of the call this is
  check(cudaGetDriverEntryPointByVersion("cuStreamWaitValue32", &found, since, cudaEnableDefault, &status),
        "cuStreamWaitValue32");
  if (status != cudaDriverEntryPointSuccess) {
    throw fastgpu::error{errc::device_failed, "cuStreamWaitValue32: the driver does not have it"};
  }
  const auto wait = reinterpret_cast<function>(found);
  if (const auto error = wait(stream, reinterpret_cast<CUdeviceptr>(word), 1, CU_STREAM_WAIT_VALUE_GEQ);
      error != CUDA_SUCCESS) {
    throw fastgpu::error{errc::device_failed, "cuStreamWaitValue32: CUresult " + std::to_string(error)};
  }
}

}  // namespace

void start_after(cluster& on, cudaStream_t stream)
{
  for (const auto& device : on.core()->devices()) {
    auto* gpu = dynamic_cast<detail::cuda_device*>(device.get());
    if (gpu == nullptr) continue;
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    if (const auto error = cudaEventRecord(event, stream); error != cudaSuccess) {
      (void)cudaEventDestroy(event);
      check(error, "cudaEventRecord");
    }
    gpu->start_after(reinterpret_cast<detail::gpu_event>(event));
  }
}

void detail::make_wait(cudaStream_t stream, run_core& run)
{
  auto* at = all_gates().take();
  try {
    wait_for_word(stream, at->word);
    check(cudaEventRecord(at->passed, stream), "cudaEventRecord");
    run.on_finished(&open_gate, at);
  } catch (...) {
    open_gate(at);  // the stream must not wait for what will not come
    throw;
  }
}

}  // namespace fastgpu::inline v0

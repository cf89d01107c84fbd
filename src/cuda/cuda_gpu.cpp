#include <cuda_runtime_api.h>

#include <atomic>
#include <charconv>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <fastgpu/cuda/devices.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/observe/log.hpp>

#include "cluster/device_list.hpp"
#include "cuda/cuda_device.hpp"
#include "nccl/nccl_communicator.hpp"
#include "stage_slice.hpp"

/// @file
/// GPUs by the CUDA runtime, and `cuda:N` and `cuda:all` in device lists.

namespace fastgpu::inline v0::detail {
namespace {

/// A fault in a kernel ends CUDA for the whole process: what it said first. Never freed.
std::atomic<const std::string*> fault = nullptr;

std::string told(cudaError_t error, const char* doing)
{
  return std::string{doing} + ": " + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) + ")";
}

/// Errors after which nothing works any more in the process. @see  CUDA Runtime API, "CUDA error types".
bool is_fault(cudaError_t error)
{
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorMpsClientTerminated:
    case cudaErrorContextIsDestroyed:
    case cudaErrorUnknown: return true;
    default: return false;
  }
}

/// Translates what a call gave. A fault stays with the process, other errors are cleared.
void check(cudaError_t error, const char* doing)
{
  if (error == cudaSuccess) return;
  auto text = told(error, doing);
  (void)cudaGetLastError();
  if (error == cudaErrorMemoryAllocation) throw gpu_error{gpu_error::kind::out_of_memory, text};
  if (!is_fault(error)) throw gpu_error{gpu_error::kind::refused, text};
  const std::string* none = nullptr;
  auto kept = std::make_unique<const std::string>(text);
  if (fault.compare_exchange_strong(none, kept.get())) (void)kept.release();
  throw gpu_error{gpu_error::kind::lost, text};
}

/// For destructors: nobody can be told.
void log_failed(cudaError_t error, const char* doing) noexcept
{
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();  // not left to whoever calls CUDA next on this thread
  if (error == cudaErrorCudartUnloading || fault.load() != nullptr) return;
  try {
    log_line(log_level::warning, told(error, doing));
  } catch (const std::bad_alloc&) {  // then it is not told
  }
}

/// Some calls are an error on every thread while any thread captures a graph, unless this one says that it does not mind.
class capture_aside {
 public:
  capture_aside() noexcept { (void)cudaThreadExchangeStreamCaptureMode(&mode_); }
  capture_aside(const capture_aside&) = delete;
  capture_aside& operator=(const capture_aside&) = delete;
  ~capture_aside() { (void)cudaThreadExchangeStreamCaptureMode(&mode_); }

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

int attribute(cudaDeviceAttr what, int ordinal)
{
  int value = 0;
  check(cudaDeviceGetAttribute(&value, what, ordinal), "cudaDeviceGetAttribute");
  return value;
}

gpu_properties describe(int ordinal)
{
  cudaDeviceProp found;
  check(cudaGetDeviceProperties(&found, ordinal), "cudaGetDeviceProperties");
  gpu_properties p;
  p.name = found.name;
  p.ordinal = ordinal;
  p.compute_capability = 10 * found.major + found.minor;
  p.multiprocessors = static_cast<std::uint32_t>(found.multiProcessorCount);
  p.memory_bytes = found.totalGlobalMem;
  const auto kilohertz = static_cast<std::uint64_t>(attribute(cudaDevAttrMemoryClockRate, ordinal));
  const auto bits = static_cast<std::uint64_t>(attribute(cudaDevAttrGlobalMemoryBusWidth, ordinal));
  p.memory_bytes_a_second = 2 * kilohertz * 1000 * (bits / 8);  // two transfers a clock
  char address[32] = {};
  check(cudaDeviceGetPCIBusId(address, sizeof address, ordinal), "cudaDeviceGetPCIBusId");
  p.pci_address = address;
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  p.driver = driver;
  return p;
}

cudaStream_t native(gpu_stream stream) { return reinterpret_cast<cudaStream_t>(stream); }
cudaEvent_t native(gpu_event event) { return reinterpret_cast<cudaEvent_t>(event); }

class cuda_gpu final : public gpu {
 public:
  cuda_gpu(int ordinal, const gpu_options& options)
      : properties_{describe(ordinal)},
        memory_bytes_max_{options.memory_bytes_max},
        pool_{static_cast<cudaMemPool_t>(options.memory_pool)},
        own_pool_{pool_ == nullptr}
  {
  }
  ~cuda_gpu() override
  {
    const capture_aside aside;
    if (memory_stream_ != nullptr) log_failed(cudaStreamDestroy(memory_stream_), "cudaStreamDestroy");
    if (own_pool_ && pool_ != nullptr) log_failed(cudaMemPoolDestroy(pool_), "cudaMemPoolDestroy");
  }

  const gpu_properties& properties() const noexcept override { return properties_; }

  void make_current() override
  {
    if (const auto* why = fault.load()) throw gpu_error{gpu_error::kind::lost, *why};
    detail::check(cudaSetDevice(properties_.ordinal), "cudaSetDevice");
    auto relaxed = cudaStreamCaptureModeRelaxed;  // for good: see capture_aside
    detail::check(cudaThreadExchangeStreamCaptureMode(&relaxed), "cudaThreadExchangeStreamCaptureMode");
    if (pool_ == nullptr) make_pool();
    if (memory_stream_ == nullptr) {
      detail::check(cudaStreamCreateWithFlags(&memory_stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    }
  }

  gpu_stream create_stream() override
  {
    cudaStream_t stream = nullptr;
    detail::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return reinterpret_cast<gpu_stream>(stream);
  }
  gpu_event create_event() override
  {
    cudaEvent_t event = nullptr;
    detail::check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    return reinterpret_cast<gpu_event>(event);
  }
  void destroy(gpu_stream stream) noexcept override { log_failed(cudaStreamDestroy(native(stream)), "cudaStreamDestroy"); }
  void destroy(gpu_event event) noexcept override { log_failed(cudaEventDestroy(native(event)), "cudaEventDestroy"); }

  void record(gpu_event event, gpu_stream on) override
  {
    detail::check(cudaEventRecord(native(event), native(on)), "cudaEventRecord");
  }
  void wait(gpu_stream stream, gpu_event event) override
  {
    detail::check(cudaStreamWaitEvent(native(stream), native(event), 0), "cudaStreamWaitEvent");
  }
  bool ready(gpu_event event) override
  {
    const auto status = cudaEventQuery(native(event));
    if (status == cudaErrorNotReady) {
      (void)cudaGetLastError();
      return false;
    }
    detail::check(status, "a kernel or copy");
    return true;
  }

  void* allocate(std::size_t bytes) override
  {
    const std::scoped_lock lock{memory_mutex_};
    void* memory = nullptr;
    const auto doing = "cudaMallocFromPoolAsync, " + std::to_string(bytes) + " bytes on " + properties_.name;
    auto status = cudaMallocFromPoolAsync(&memory, bytes, pool_, memory_stream_);
    if (status == cudaErrorMemoryAllocation) {  // blocks of other sizes may be what fills the pool
      (void)cudaGetLastError();
      (void)cudaStreamSynchronize(memory_stream_);
      (void)cudaMemPoolTrimTo(pool_, 0);
      status = cudaMallocFromPoolAsync(&memory, bytes, pool_, memory_stream_);
    }
    detail::check(status, doing.c_str());
    detail::check(cudaStreamSynchronize(memory_stream_), doing.c_str());  // from here on any stream may use it
    return memory;
  }
  void release(void* memory) noexcept override
  {
    const std::scoped_lock lock{memory_mutex_};
    const capture_aside aside;
    log_failed(cudaFreeAsync(memory, memory_stream_), "cudaFreeAsync");
  }
  void* allocate_pinned(std::size_t bytes) override
  {
    void* memory = nullptr;
    const auto doing = "cudaHostAlloc, " + std::to_string(bytes) + " bytes";
    detail::check(cudaHostAlloc(&memory, bytes, cudaHostAllocPortable), doing.c_str());
    return memory;
  }
  void release_pinned(void* memory) noexcept override
  {
    const capture_aside aside;
    log_failed(cudaFreeHost(memory), "cudaFreeHost");
  }
  void* memory_pool() noexcept override { return pool_; }

  void copy(void* to, const void* from, std::size_t bytes, gpu_stream on) override
  {
    detail::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, native(on)), "cudaMemcpyAsync");
  }
  void copy(const gpu_box_copy& box, gpu_stream on) override
  {
    for (std::size_t p = 0; p < box.planes; ++p) {
      auto* to = static_cast<std::byte*>(box.to) + p * box.to_plane_pitch;
      const auto* from = static_cast<const std::byte*>(box.from) + p * box.from_plane_pitch;
      if (box.rows == 1) {
        copy(to, from, box.row_bytes, on);
      } else {
        detail::check(cudaMemcpy2DAsync(to, box.to_pitch, from, box.from_pitch, box.row_bytes, box.rows,
                                        cudaMemcpyDefault, native(on)),
                      "cudaMemcpy2DAsync");
      }
    }
  }
  void stage(const argument& slices, const box& region, std::byte* to, gpu_stream on) override
  {
    detail::check(kernels::stage_slice(slices, region, to, native(on)), "staging a slice");
  }
  void check(int native_error, const char* doing) override
  {
    detail::check(static_cast<cudaError_t>(native_error), doing);
  }

 private:
  void make_pool()
  {
    cudaMemPoolProps wanted = {};
    wanted.maxSize = memory_bytes_max_;
    wanted.allocType = cudaMemAllocationTypePinned;
    wanted.location.type = cudaMemLocationTypeDevice;
    wanted.location.id = properties_.ordinal;
    detail::check(cudaMemPoolCreate(&pool_, &wanted), "cudaMemPoolCreate");
    std::uint64_t keep_all = ~std::uint64_t{0};
    detail::check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all), "cudaMemPoolSetAttribute");
  }

  gpu_properties properties_;
  std::uint64_t memory_bytes_max_;
  cudaMemPool_t pool_;
  bool own_pool_;
  cudaStream_t memory_stream_ = nullptr;
  std::mutex memory_mutex_;  // sessions may end, and release, on another thread
};

struct gpu_count {
  int count = 0;
  std::string why_none;
};

/// Honours CUDA_VISIBLE_DEVICES, as the runtime does.
gpu_count count_gpus()
{
  gpu_count found;
  const auto status = cudaGetDeviceCount(&found.count);
  if (status == cudaSuccess && found.count > 0) return found;
  found.count = 0;
  (void)cudaGetLastError();
  switch (status) {
    case cudaSuccess:
    case cudaErrorNoDevice: found.why_none = "there is no CUDA GPU that this process may use"; break;
    case cudaErrorInsufficientDriver: {
      int driver = 0;
      int runtime = 0;
      (void)cudaDriverGetVersion(&driver);
      (void)cudaRuntimeGetVersion(&runtime);
      const auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
      found.why_none = driver == 0 ? "there is no NVIDIA driver"
                                   : "the NVIDIA driver serves CUDA " + version(driver) + ", this program needs " +
                                         version(runtime);
      break;
    }
    default: found.why_none = told(status, "cudaGetDeviceCount");
  }
  return found;
}

std::unique_ptr<device> make_device(int ordinal, device_id id, const gpu_options& options)
{
#if defined(FASTGPU_HAS_NCCL)
  const auto meet = [](gpu& on) { return make_nccl_communicators(on); };
#else
  const auto meet = nullptr;
#endif
  return std::make_unique<cuda_device>(id, std::make_unique<cuda_gpu>(ordinal, options),
                                       "cuda:" + std::to_string(ordinal), options, meet);
}

std::vector<std::unique_ptr<device>> make_each(int count, device_id first, const gpu_options& options)
{
  if (options.memory_pool != nullptr && count > 1) {
    throw error{errc::invalid_argument, "gpu_options: memory_pool serves one GPU, and there are " + std::to_string(count)};
  }
  std::vector<std::unique_ptr<device>> devices;
  for (int i = 0; i < count; ++i) {
    devices.push_back(make_device(i, {first.value + static_cast<std::uint32_t>(i)}, options));
  }
  return devices;
}

std::vector<std::unique_ptr<device>> make_named(std::string_view argument, device_id first, const gpu_options& options)
{
  const auto item = "devices: 'cuda:" + std::string{argument} + "': ";
  int ordinal = -1;
  if (argument != "all") {
    const auto [end, problem] = std::from_chars(argument.data(), argument.data() + argument.size(), ordinal);
    if (problem != std::errc{} || end != argument.data() + argument.size() || ordinal < 0) {
      throw error{errc::invalid_argument, item + "expected cuda:N with the number of a GPU, or cuda:all"};
    }
  }
  const auto found = count_gpus();
  if (found.count == 0) throw error{errc::no_usable_device, item + found.why_none};
  try {
    if (argument == "all") return make_each(found.count, first, options);
    if (ordinal >= found.count) {
      throw error{errc::no_usable_device,
                  item + "there are " + std::to_string(found.count) + " GPUs, numbered from 0"};
    }
    std::vector<std::unique_ptr<device>> one;
    one.push_back(make_device(ordinal, first, options));
    return one;
  } catch (const gpu_error& e) {
    throw error{errc::no_usable_device, item + e.what()};
  }
}

std::vector<std::unique_ptr<device>> make_all_there_are(device_id first, const gpu_options& options)
{
  const auto found = count_gpus();
  if (found.count == 0) {
    log_line(log_level::info, found.why_none + "; programs run on the CPU");
    return {};
  }
  try {
    return make_each(found.count, first, options);
  } catch (const gpu_error& e) {
    log_line(log_level::warning, std::string{e.what()} + "; programs run on the CPU");
    return {};
  }
}

}  // namespace

bool add_cuda_devices() noexcept
{
  static const bool added = [] {
    add_device_kind({"cuda", &make_named, &make_all_there_are});
    return true;
  }();
  return added;
}

}  // namespace fastgpu::inline v0::detail

#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <fastgpu/cuda/context.hpp>
#include <fastgpu/cuda/devices.hpp>
#include <fastgpu/cuda/program.cuh>
#include <fastgpu/register.hpp>

/// @file
/// How programs get their entry for CUDA GPUs: by being compiled by nvcc, where kernels have a registered name or are
/// extended `__host__ __device__` lambdas.

namespace fastgpu::inline v0::detail {

/// Whether nvcc may put `Kernel` on a GPU. Others are host kernels, also in files that nvcc compiles: nothing tells
/// whether their functions are FASTGPU_HD.
template <class Kernel>
constexpr bool is_gpu_kernel()
{
  if constexpr (requires { typename Kernel::gpu_kernel_of; }) {
    return is_gpu_kernel<typename Kernel::gpu_kernel_of>();
  } else {
    return *kernel_name<Kernel>() != '\0' || __nv_is_extended_host_device_lambda_closure_type(Kernel);
  }
}

/// Kernels on the calling thread's GPU. What returns an int returns a cudaError_t.
struct cuda_runtime {
  template <class... Parameters, class... Arguments>
  static void launch(void (*kernel)(Parameters...), std::uint32_t blocks, std::uint32_t threads, void* stream,
                     const Arguments&... arguments)
  {
    kernel<<<blocks, threads, 0, static_cast<cudaStream_t>(stream)>>>(arguments...);
  }
  static int last_error() { return static_cast<int>(cudaGetLastError()); }

  static int load(const void* kernel)
  {
    cudaFuncAttributes attributes;
    return static_cast<int>(cudaFuncGetAttributes(&attributes, kernel));
  }

  /// What the kernel of program `S` launches itself. Throws for what any GPU would refuse.
  template <class S>
  static int launch_own(const typename S::params& p, const gpu_batch& batch, void* stream)
  {
    cuda_context context{batch.ordinal, static_cast<cudaStream_t>(stream),
                         static_cast<cudaMemPool_t>(batch.memory_pool)};
    S::call_launches(p, context, cuda_batch<S::rank>{batch.job->shape, batch.shape, batch.begin, batch.end});
    const auto status = context.take_error();
    if (status == cudaErrorInvalidConfiguration || status == cudaErrorInvalidValue ||
        status == cudaErrorLaunchOutOfResources || status == cudaErrorInvalidResourceHandle) {
      throw std::runtime_error{std::string{"what it launched itself: "} + cudaGetErrorName(status)};
    }
    return static_cast<int>(status);
  }
};

struct cuda_backend {
  static constexpr const char* name = "cuda";

  template <class Program>
  static constexpr bool takes()
  {
    using S = typename Program::gpu;
    if constexpr ((S::launches_itself || S::form != kernel_form::by_context) && is_gpu_kernel<typename Program::kernel>()) {
      static_assert(std::is_trivially_copyable_v<typename Program::kernel>,
                    "fastgpu: a kernel's bytes travel to GPUs: it must be trivially copyable");
      return true;
    } else {
      return false;
    }
  }
  template <class Program>
  static constexpr const gpu_entry* gpu_entry_of()
  {
    return &gpu_program<typename Program::gpu, cuda_runtime>::entry;
  }
};

}  // namespace fastgpu::inline v0::detail

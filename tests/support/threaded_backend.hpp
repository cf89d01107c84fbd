#pragma once

#include "support/emulated_cuda.hpp"

namespace support {
struct threaded_backend;
}
#define FASTGPU_DETAIL_BACKEND ::support::threaded_backend

#include <cstdint>
#include <type_traits>

#include <fastgpu/cuda/batch.hpp>
#include <fastgpu/cuda/program.cuh>
#include <fastgpu/fastgpu.hpp>

#include "support/fake_cuda_context.hpp"
#include "support/fake_gpu.hpp"

/// @file
/// Include it first: jobs made in the translation unit then have an entry for GPUs whose kernels are those of
/// <fastgpu/cuda/runner.cuh>, on threads of the host. For fake_gpu.

namespace support {

struct threaded_runtime {
  template <class... Parameters, class... Arguments>
  static void launch(void (*kernel)(Parameters...), std::uint32_t blocks, std::uint32_t threads, void* stream,
                     const Arguments&... arguments)
  {
    fake_gpu::enqueue_kernel(stream, [=] { emulated_cuda::run_grid(kernel, blocks, threads, arguments...); });
  }
  template <class S>
  static int launch_own(const typename S::params& p, const fastgpu::detail::gpu_batch& batch, void* stream)
  {
    fastgpu::cuda_context context{stream};
    S::call_launches(p, context, {batch.job->shape, batch.shape, batch.begin, batch.end});
    return 0;
  }
  static int last_error() { return 0; }
  static int load(const void*) { return 0; }
};

/// Takes every program but those that ask for a host_context and do not launch for themselves.
struct threaded_backend {
  static constexpr const char* name = "cuda";
  template <class Program>
  static constexpr bool takes()
  {
    return Program::gpu::launches_itself || Program::gpu::form != fastgpu::detail::kernel_form::by_context;
  }
  template <class Program>
  static constexpr const fastgpu::detail::gpu_entry* gpu_entry_of()
  {
    return &fastgpu::detail::gpu_program<typename Program::gpu, threaded_runtime>::entry;
  }
};

}  // namespace support

#pragma once

#include <cuda_runtime_api.h>

#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/config.hpp>
#include <fastgpu/run.hpp>

/// @file
/// Runs among other work on CUDA streams. A run that is over has no work on any GPU any more: what is enqueued after
/// its outcome was delivered needs nothing of this.

namespace fastgpu::inline v0 {

/// Runs on `on` that are started from now on begin on its GPUs after what `stream` holds now. Does not wait. For data in
/// GPU memory: inputs in host memory are read by the host, and devices of cores do not wait at all.
///
/// @param stream  Of the calling thread's current GPU, which need not be one of the cluster's.
/// @throws error  errc::device_failed, naming what the CUDA runtime refused.
FASTGPU_API void start_after(cluster& on, cudaStream_t stream);

namespace detail {
FASTGPU_API void make_wait(cudaStream_t stream, run_core& run);
}

/// Work that is enqueued on `stream` from now on begins after `run` has ended, whatever its outcome. Does not wait.
///
/// @param stream  Of the calling thread's current GPU.
/// @throws error  errc::device_failed, naming what the CUDA runtime or driver refused.
/// @par Lifetimes The run may be destroyed, which cancels it and so lets the stream go on.
template <class T>
void make_wait(cudaStream_t stream, const run<T>& run)
{
  detail::make_wait(stream, *run.core());
}

}  // namespace fastgpu::inline v0

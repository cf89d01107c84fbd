#pragma once

/// @file
/// Macros that every other header may use. Includes nothing, so that device code of any compiler can
/// read it.

/// Marks a function that runs on the host and on GPUs. Vanishes where the compiler knows no GPU.
#if defined(__CUDACC__)
#define FASTGPU_HD __host__ __device__
#else
#define FASTGPU_HD
#endif

/// Before a FASTGPU_HD template that calls what it is given: that may be a host function, where the template is called
/// on the host.
#if defined(__CUDACC__)
#define FASTGPU_DETAIL_CALLS_ANYTHING _Pragma("nv_exec_check_disable")
#else
#define FASTGPU_DETAIL_CALLS_ANYTHING
#endif

/// Exported from the shared library; everything else is hidden.
#if defined(__GNUC__)
#define FASTGPU_API __attribute__((visibility("default")))
#else
#define FASTGPU_API
#endif

#define FASTGPU_VERSION_MAJOR 0
#define FASTGPU_VERSION_MINOR 1
#define FASTGPU_VERSION_PATCH 0
#define FASTGPU_VERSION "0.1.0"

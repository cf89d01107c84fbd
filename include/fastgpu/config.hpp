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

/// Set where code for a GPU is compiled. Tests set it for code of host threads that stand for a GPU's.
#if defined(__CUDA_ARCH__) || defined(FASTGPU_DETAIL_EMULATED_CUDA)
#define FASTGPU_DETAIL_ON_GPU
#endif

/// Before a FASTGPU_HD template that calls what it is given: that may be a host function, where the template is called
/// on the host.
#if defined(__CUDACC__)
#define FASTGPU_DETAIL_CALLS_ANYTHING _Pragma("nv_exec_check_disable")
#else
#define FASTGPU_DETAIL_CALLS_ANYTHING
#endif

/// Before a long loop that nvcc would unroll into more values than there are registers.
#if defined(__CUDA_ARCH__)
#define FASTGPU_DETAIL_NO_UNROLL _Pragma("unroll 1")
#else
#define FASTGPU_DETAIL_NO_UNROLL
#endif

/// Exported from the shared library; everything else is hidden.
#if defined(__GNUC__)
#define FASTGPU_API __attribute__((visibility("default")))
#else
#define FASTGPU_API
#endif

// What decides of a kernel's arithmetic, in words: the compiler, and what it was told of floating point.
#define FASTGPU_DETAIL_TEXT2(x) #x
#define FASTGPU_DETAIL_TEXT(x) FASTGPU_DETAIL_TEXT2(x)
#if defined(__clang__)
#define FASTGPU_DETAIL_COMPILER "clang " FASTGPU_DETAIL_TEXT(__clang_major__)
#elif defined(__GNUC__)
#define FASTGPU_DETAIL_COMPILER "g++ " FASTGPU_DETAIL_TEXT(__GNUC__)
#else
#define FASTGPU_DETAIL_COMPILER "?"
#endif
#if defined(__FAST_MATH__)
#define FASTGPU_DETAIL_FAST_MATH ", -ffast-math"
#else
#define FASTGPU_DETAIL_FAST_MATH ""
#endif
#if defined(__FMA__)
#define FASTGPU_DETAIL_FMA ", fma"
#else
#define FASTGPU_DETAIL_FMA ""
#endif
#if defined(__AVX512F__)
#define FASTGPU_DETAIL_VECTORS ", avx512"
#elif defined(__AVX2__)
#define FASTGPU_DETAIL_VECTORS ", avx2"
#else
#define FASTGPU_DETAIL_VECTORS ""
#endif
#define FASTGPU_DETAIL_BUILD \
  "fastgpu " FASTGPU_VERSION ", " FASTGPU_DETAIL_COMPILER FASTGPU_DETAIL_FAST_MATH FASTGPU_DETAIL_FMA FASTGPU_DETAIL_VECTORS

#define FASTGPU_VERSION_MAJOR 0
#define FASTGPU_VERSION_MINOR 1
#define FASTGPU_VERSION_PATCH 0
#define FASTGPU_VERSION "0.1.0"

# The CUDA language and NCCL. Both optional: without FASTGPU_WITH_CUDA nothing here runs, and the same
# sources serve both. CUDA is found, never installed.

if(NOT FASTGPU_WITH_CUDA)
  return()
endif()

# CMake itself looks at CUDACXX and PATH only.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(FASTGPU_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin)
  mark_as_advanced(FASTGPU_NVCC)
  if(FASTGPU_NVCC)
    set(CMAKE_CUDA_COMPILER ${FASTGPU_NVCC})
  endif()
endif()

# Before the language is enabled, which would set a default of its own: for this machine's GPU where it has one, else
# for Hopper, as SASS and PTX.
if(NOT CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
  file(GLOB gpus /dev/nvidia[0-9]*)
  if(gpus)
    set(CMAKE_CUDA_ARCHITECTURES native)
  else()
    set(CMAKE_CUDA_ARCHITECTURES 90)
  endif()
endif()

# One runtime for nvcc's objects and everything else: the shared one, unless told otherwise.
if(NOT CMAKE_CUDA_RUNTIME_LIBRARY)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "FASTGPU_WITH_CUDA is ON, but there is no nvcc: put it on PATH, or set CUDACXX or CUDA_HOME")
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA" AND CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.5)
  message(FATAL_ERROR "fastgpu needs nvcc 12.5 or later, found ${CMAKE_CUDA_COMPILER_VERSION}")
endif()

# CMake 3.25.1 knows nvcc's C++17 at most: a required C++20 is an error there, an inherited one silently
# becomes nvcc's default. Fixed in 3.25.2. Never exported: a user's CMake may lack this.
if(CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA" AND NOT "cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
  set(CMAKE_CUDA20_COMPILE_FEATURES cuda_std_20)
endif()

find_package(CUDAToolkit REQUIRED)
find_package(NCCL)
if(NCCL_FOUND)
  message(STATUS "fastgpu: CUDA ${CMAKE_CUDA_COMPILER_VERSION}, NCCL ${NCCL_VERSION}")
else()
  message(STATUS "fastgpu: CUDA ${CMAKE_CUDA_COMPILER_VERSION}, no NCCL")
endif()

# What can be switched. An embedding project gets the library alone.

option(FASTGPU_DEVELOPER_MODE "Examples, tests, benchmarks; warnings are errors" ${PROJECT_IS_TOP_LEVEL})
option(FASTGPU_INSTALL "Install rules of the library" ${PROJECT_IS_TOP_LEVEL})
option(FASTGPU_WITH_CUDA "Build what needs nvcc" OFF)
option(BUILD_SHARED_LIBS "Build libfastgpu.so instead of libfastgpu.a" OFF)
set(FASTGPU_SANITIZE "" CACHE STRING "Sanitizers of a developer's build, as after -fsanitize=; empty for none")

# In developer mode. A sanitized build is for running tests: what only compiles is checked elsewhere.
if(FASTGPU_SANITIZE)
  set(plain_build OFF)
else()
  set(plain_build ON)
endif()
option(FASTGPU_TESTS "Tests" ON)
option(FASTGPU_FUZZ "The fuzz targets in the tests' place, for which the compiler has to be clang++" OFF)
option(FASTGPU_BENCHMARKS "Benchmarks" ${plain_build})
option(FASTGPU_BENCHMARK_GRPC "gRPC among the peers of benchmarks, where it is installed: scripts/benchmark --nodes" OFF)
option(FASTGPU_COMPILE_CHECKS "Every public header alone, misuse, outside projects" ${plain_build})

if(FASTGPU_DEVELOPER_MODE)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

# What is linked. Tests and benchmarks look for their own where they are built, and do without.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Microsoft.GSL REQUIRED CONFIG)
find_package(Boost 1.81 REQUIRED CONFIG)  # headers only
find_package(OpenSSL 3.0 REQUIRED)

# FlatBuffers: its compiler, and headers for our sources alone. Nothing of it is linked or installed.
find_program(FASTGPU_FLATC flatc)
find_path(FASTGPU_FLATBUFFERS_INCLUDE_DIR flatbuffers/flatbuffers.h)
mark_as_advanced(FASTGPU_FLATC FASTGPU_FLATBUFFERS_INCLUDE_DIR)
if(NOT FASTGPU_FLATC OR NOT FASTGPU_FLATBUFFERS_INCLUDE_DIR)
  message(FATAL_ERROR "fastgpu needs FlatBuffers, headers and flatc of one version "
    "(Debian: libflatbuffers-dev flatbuffers-compiler)")
endif()

if(FASTGPU_DEVELOPER_MODE)  # for programs
  find_package(CLI11 REQUIRED CONFIG)
  find_package(PNG REQUIRED)
  find_package(tomlplusplus REQUIRED CONFIG)
endif()

# What is linked. Tests and benchmarks look for their own where they are built, and do without.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Microsoft.GSL REQUIRED CONFIG)
find_package(Boost 1.81 REQUIRED CONFIG)  # headers only
find_package(OpenSSL 3.0 REQUIRED)
find_package(OpenSSL 3 REQUIRED)

if(FASTGPU_DEVELOPER_MODE)  # for programs
  find_package(CLI11 REQUIRED CONFIG)
  find_package(PNG REQUIRED)
endif()

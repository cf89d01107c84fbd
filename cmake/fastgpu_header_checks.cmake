# Every public header compiles first and alone: an object file each, built with the tests.

# fastgpu_check_headers(<target> <CXX|CUDA> <file>...): an object library with one translation unit per header.
function(fastgpu_check_headers target language)
  set(extension_CXX cpp)
  set(extension_CUDA cu)
  set(sources)
  foreach(header IN LISTS ARGN)
    cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/include)
    string(REPLACE "/" "_" unit ${header})
    set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${unit}.${extension_${language}})
    file(CONFIGURE OUTPUT ${source} CONTENT "#include <${header}>  // first and alone\n#include <${header}>  // and again\n")
    list(APPEND sources ${source})
  endforeach()
  add_library(${target} OBJECT ${sources})
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF EXPORT_COMPILE_COMMANDS OFF)
  target_link_libraries(${target} PRIVATE fastgpu fastgpu_warnings)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O0>)  # nothing of it runs
  fastgpu_tests_depend(${target})
endfunction()

file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/fastgpu/*.hpp)
set(plain_headers ${headers})
list(FILTER plain_headers EXCLUDE REGEX "/fastgpu/(asio|cuda)/")
set(asio_headers ${headers})
list(FILTER asio_headers INCLUDE REGEX "/fastgpu/asio/")

fastgpu_check_headers(fastgpu_headers CXX ${plain_headers})
if(asio_headers)
  fastgpu_check_headers(fastgpu_asio_headers CXX ${asio_headers})
  target_link_libraries(fastgpu_asio_headers PRIVATE fastgpu_asio)
endif()

# nvcc reads them too: what only g++ has read breaks in a user's first .cu.
if(FASTGPU_WITH_CUDA)
  fastgpu_check_headers(fastgpu_cuda_headers CUDA ${plain_headers})
  file(GLOB_RECURSE cuda_headers CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/include/fastgpu/cuda/*.hpp ${PROJECT_SOURCE_DIR}/include/fastgpu/cuda/*.cuh)
  fastgpu_check_headers(fastgpu_cuda_own_headers CUDA ${cuda_headers})
  foreach(target IN ITEMS fastgpu_cuda_headers fastgpu_cuda_own_headers)
    target_compile_features(${target} PRIVATE cuda_std_20)
  endforeach()
  fastgpu_tests_depend(fastgpu_cuda_own_headers cuda)
  fastgpu_tests_depend(fastgpu_cuda_headers cuda)
endif()

# How our own sources are compiled. Nothing of it reaches a user's targets, but for fastgpu::strict_fp,
# which is there to be linked.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(fastgpu_warnings INTERFACE)
if(FASTGPU_DEVELOPER_MODE)
  set(warnings
    -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual)
  if(FASTGPU_SANITIZE)  # instrumented code brings false warnings, as g++'s manual says; these are known
    list(APPEND warnings -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      list(APPEND warnings -Wno-tsan)  # of the fences in Asio
    endif()
  else()
    list(APPEND warnings -Werror)
  endif()
  set(warnings_for_nvcc ${warnings})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND warnings_for_nvcc -Wno-restrict)  # false ones of strings that are joined: GCC bug 105651
  endif()
  list(JOIN warnings_for_nvcc "," warnings_for_nvcc)
  target_compile_options(fastgpu_warnings INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:${warnings};-Wpedantic>"
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${warnings_for_nvcc};-Werror=all-warnings>")

  if(FASTGPU_SANITIZE)
    add_compile_options(-fsanitize=${FASTGPU_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${FASTGPU_SANITIZE})
  endif()

  find_program(FASTGPU_CCACHE ccache)
  mark_as_advanced(FASTGPU_CCACHE)
  if(FASTGPU_CCACHE)
    foreach(language IN ITEMS CXX CUDA)
      if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
        set(CMAKE_${language}_COMPILER_LAUNCHER ${FASTGPU_CCACHE})
      endif()
    endforeach()
  endif()
endif()

# Same bits on every device that computes by IEEE 754: a*b+c is rounded twice, on the CPU and on GPUs alike.
# For targets whose kernels declare portable arithmetic. They learn of it by FASTGPU_STRICT_FP.
add_library(fastgpu_strict_fp INTERFACE)
add_library(fastgpu::strict_fp ALIAS fastgpu_strict_fp)
set_target_properties(fastgpu_strict_fp PROPERTIES EXPORT_NAME strict_fp)
target_compile_definitions(fastgpu_strict_fp INTERFACE FASTGPU_STRICT_FP=1)
target_compile_options(fastgpu_strict_fp INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>"
  "$<$<COMPILE_LANGUAGE:CUDA>:--fmad=false;-Xcompiler=-ffp-contract=off>")

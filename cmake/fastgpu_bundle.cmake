# One folder that carries everything there is to check on a GPU to a machine that has one: scripts/gpu-bundle makes it.
# Not part of an installation: the component is asked for by its name.

if(NOT FASTGPU_WITH_CUDA OR NOT FASTGPU_DEVELOPER_MODE OR NOT FASTGPU_TESTS OR NOT TARGET fastgpu_gpu_benchmarks)
  return()
endif()

get_property(gpu_tests GLOBAL PROPERTY fastgpu_gpu_tests)
set(host_tests fastgpu_device_test fastgpu_execute_test)
set(examples block_sort image_filter mandelbrot nas_ep quickstart uts)
set(programs ${gpu_tests} ${host_tests} ${examples} fastgpu_gpu_benchmarks fastgpu_gpu_measurements)
add_custom_target(fastgpu_gpu_bundle DEPENDS ${programs})

# Programs look for libraries in lib/, and those for theirs: so an RPATH, which is for all of them, and no RUNPATH.
foreach(program IN LISTS programs)
  set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
  target_link_options(${program} PRIVATE LINKER:--disable-new-dtags)
endforeach()
install(TARGETS ${programs}
  RUNTIME_DEPENDENCY_SET fastgpu_gpu_libraries
  RUNTIME DESTINATION bin COMPONENT fastgpu_gpu_bundle EXCLUDE_FROM_ALL)
install(RUNTIME_DEPENDENCY_SET fastgpu_gpu_libraries
  PRE_EXCLUDE_REGEXES
    "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv)\\.so"  # glibc's own
    "^libcuda\\.so" "^libnvidia"                       # the driver's
    "^libnccl" "^libcublas" "^libcudnn"
  LIBRARY DESTINATION lib COMPONENT fastgpu_gpu_bundle EXCLUDE_FROM_ALL)
install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/gpu-verify
  DESTINATION scripts COMPONENT fastgpu_gpu_bundle EXCLUDE_FROM_ALL)

# What the folder is made of, a fact a line. scripts/gpu-bundle adds commit and date.
list(JOIN CMAKE_CUDA_ARCHITECTURES "," architectures)
set(manifest "architectures ${architectures}\nnvcc ${CMAKE_CUDA_COMPILER_VERSION}\n")
string(APPEND manifest "compiler ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\n")
foreach(test IN LISTS gpu_tests)
  string(APPEND manifest "gpu_test ${test}\n")
endforeach()
foreach(test IN LISTS host_tests)
  string(APPEND manifest "host_test ${test}\n")
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/bundle/manifest CONTENT "${manifest}")
install(FILES ${PROJECT_BINARY_DIR}/bundle/manifest
  DESTINATION . COMPONENT fastgpu_gpu_bundle EXCLUDE_FROM_ALL)

# The folder as it is made of this build, and every program in it started from elsewhere.
add_dependencies(fastgpu_tests_cuda fastgpu_gpu_bundle)
add_test(NAME scripts.programs_of_the_gpu_bundle_start
  COMMAND ${CMAKE_COMMAND} -D BUILD=${PROJECT_BINARY_DIR} -P ${PROJECT_SOURCE_DIR}/tests/scripts/bundle.cmake)
set_tests_properties(scripts.programs_of_the_gpu_bundle_start PROPERTIES TIMEOUT 120 LABELS "cuda;scripts")

# An export set for each component; `core` is always read, the others when asked for.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fastgpu)

install(TARGETS fastgpu fastgpu_strict_fp EXPORT fastgpu_core)
install(TARGETS fastgpu_asio EXPORT fastgpu_asio)
set(components core asio)
if(FASTGPU_WITH_CUDA)
  install(TARGETS fastgpu_cuda EXPORT fastgpu_cuda)
  list(APPEND components cuda)
endif()
install(DIRECTORY include/fastgpu DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cuh")

foreach(component IN LISTS components)
  install(EXPORT fastgpu_${component}
    FILE fastgpu-${component}.cmake
    NAMESPACE fastgpu::
    DESTINATION ${package_dir})
endforeach()

configure_package_config_file(cmake/fastgpuConfig.cmake.in fastgpuConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(fastgpuConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES
    ${CMAKE_CURRENT_BINARY_DIR}/fastgpuConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/fastgpuConfigVersion.cmake
    cmake/fastgpu_registrations.cmake
    cmake/FindNCCL.cmake
  DESTINATION ${package_dir})

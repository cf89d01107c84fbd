# Makes the folder that is carried to a machine with a GPU from build folder BUILD, and starts its programs from another
# folder with an empty environment.

set(bundle ${BUILD}/bundle/fastgpu-gpu)
file(REMOVE_RECURSE ${bundle} ${bundle}-out)
execute_process(
  COMMAND ${CMAKE_COMMAND} --install ${BUILD} --component fastgpu_gpu_bundle --strip --prefix ${bundle}
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "the folder cannot be made:\n${output}")
endif()
execute_process(
  COMMAND env -i PATH=/usr/bin:/bin ${bundle}/scripts/gpu-verify --out ${bundle}-out programs
  WORKING_DIRECTORY / RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "gpu-verify ended with ${status}:\n${output}")
endif()
file(READ ${bundle}-out/gpu-verify.json json)
string(JSON passed GET "${json}" passed)
file(GLOB programs ${bundle}/bin/*)
list(LENGTH programs there)
math(EXPR expected "${there} - 1")  # quickstart has no option that ends it at once
if(NOT passed EQUAL expected)
  message(FATAL_ERROR "${passed} of ${there} programs started:\n${output}")
endif()

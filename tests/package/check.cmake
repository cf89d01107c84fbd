# Installs fastgpu (CASE=install), or configures, builds and runs the outside project in the folder CASE.

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
  endif()
endfunction()

if(CASE STREQUAL "install")
  file(REMOVE_RECURSE ${PREFIX})
  run(${CMAKE_COMMAND} --install ${FASTGPU_BUILD} --prefix ${PREFIX})

  # It works wherever it is moved to: nothing in it knows where it was built.
  file(GLOB_RECURSE texts ${PREFIX}/*.cmake ${PREFIX}/*.hpp)
  foreach(text IN LISTS texts)
    file(READ ${text} content)
    foreach(place IN ITEMS ${FASTGPU_SOURCE} ${PREFIX})
      string(FIND "${content}" ${place} at)
      if(NOT at EQUAL -1)
        message(FATAL_ERROR "${text} names ${place}")
      endif()
    endforeach()
  endforeach()
  return()
endif()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/${CASE} -B ${WORK} -G ${GENERATOR}
  -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_FLAGS_DEBUG=-O0 -D CMAKE_EXPORT_COMPILE_COMMANDS=ON
  -D CMAKE_CUDA_COMPILER=${CUDA_COMPILER}
  -D CMAKE_PREFIX_PATH=${PREFIX} -D FASTGPU_SOURCE=${FASTGPU_SOURCE})
run(${CMAKE_COMMAND} --build ${WORK})
run(${WORK}/outside)

# The library alone, with the outside project's own warnings.
file(READ ${WORK}/compile_commands.json commands)
foreach(unwanted IN ITEMS "-Werror" "-Wconversion" "/tests/support/" "/examples/" "/benchmarks/" "_test.cpp")
  string(FIND "${commands}" "${unwanted}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "an outside project must not get ${unwanted}")
  endif()
endforeach()

if(CASE STREQUAL "add_subdirectory")  # where the library is shared
  execute_process(COMMAND nm --dynamic --demangle --defined-only ${WORK}/fastgpu/src/libfastgpu.so
    OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[^\n]*fastgpu[^\n]*\n" "" foreign "${symbols}")
  if(foreign)
    message(FATAL_ERROR "libfastgpu.so exports what is not fastgpu's:\n${foreign}")
  endif()
endif()

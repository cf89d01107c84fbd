# One misuse of the API: see fastgpu_add_misuse_tests().

list(TRANSFORM INCLUDES PREPEND "-I")

function(compile case status errors)
  execute_process(
    COMMAND ${COMPILER} -std=c++20 -fsyntax-only -DFASTGPU_MISUSE=${case} ${INCLUDES} ${SOURCE}
    RESULT_VARIABLE result ERROR_VARIABLE output)
  set(${status} ${result} PARENT_SCOPE)
  set(${errors} "${output}" PARENT_SCOPE)
endfunction()

if(CASE EQUAL 1)  # once is enough
  compile(0 status errors)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "right use must compile:\n${errors}")
  endif()
endif()

compile(${CASE} status errors)
if(status EQUAL 0)
  message(FATAL_ERROR "misuse ${CASE} compiles")
elseif(NOT errors MATCHES "${MESSAGE}")
  message(FATAL_ERROR "misuse ${CASE} must be refused with a message like\n  ${MESSAGE}\nbut the compiler says\n${errors}")
endif()

# Runs COMMAND: it must end with STATUS and say SAYS; a refusal in one line.

execute_process(COMMAND ${COMMAND} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL STATUS)
  message(FATAL_ERROR "ended with ${status}, not ${STATUS}:\n${output}")
endif()
string(FIND "${output}" "${SAYS}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "does not say \"${SAYS}\":\n${output}")
endif()
if(NOT STATUS EQUAL 0 AND NOT output MATCHES "^[^\n]+\n$")
  message(FATAL_ERROR "not one line:\n${output}")
endif()

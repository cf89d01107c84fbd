# No kernel of the library keeps in memory what belongs in registers: ptxas says what it has done with each.
# cmake -DPTXAS=... -DPTX=... -DARCHITECTURE=sm_90 -P check_spills.cmake

execute_process(COMMAND ${PTXAS} -v -arch ${ARCHITECTURE} ${PTX} -o ${PTX}.cubin
  RESULT_VARIABLE status ERROR_VARIABLE told OUTPUT_VARIABLE told)
file(REMOVE ${PTX}.cubin)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "ptxas: ${told}")
endif()
string(REGEX MATCHALL "Function properties for [^\n]+\n[^\n]+" kernels "${told}")
list(LENGTH kernels count)
if(count LESS 20)
  message(FATAL_ERROR "ptxas names ${count} kernels only:\n${told}")
endif()
set(spilling "")
foreach(kernel IN LISTS kernels)
  if(NOT kernel MATCHES " 0 bytes spill stores, 0 bytes spill loads")
    string(APPEND spilling "${kernel}\n")
  endif()
endforeach()
if(spilling)
  message(FATAL_ERROR "these kernels spill registers:\n${spilling}")
endif()
message(STATUS "${count} kernels, none spills registers")

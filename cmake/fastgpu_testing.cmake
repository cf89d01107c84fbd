# Tests, in few executables, each test a ctest of its own.

include(GoogleTest)

# The long counts have hours, everything else should be done in seconds.
set(fastgpu_test_timeout 120)
set(fastgpu_release_timeout 3600)

# What scripts/test builds before it runs ctest. Tests of whole programs apart: only preset release runs those.
add_custom_target(fastgpu_tests)
add_custom_target(fastgpu_tests_programs)
add_custom_target(fastgpu_tests_threads)  # what tsan runs
add_custom_target(fastgpu_tests_cuda)     # what needs nvcc, not a GPU
add_custom_target(fastgpu_tests_fuzz)     # of preset fuzz, all there is

# fastgpu_tests_depend(<target> <label>...)
function(fastgpu_tests_depend target)
  if(NOT "programs" IN_LIST ARGN)
    add_dependencies(fastgpu_tests ${target})
  endif()
  foreach(label IN LISTS ARGN)
    if(TARGET fastgpu_tests_${label})
      add_dependencies(fastgpu_tests_${label} ${target})
    endif()
  endforeach()
endfunction()

# The tests of an executable that pass a filter. gtest_discover_tests() loses all labels but the first, so they are
# set by a file that ctest reads after its list of tests.
function(fastgpu_discover target name filter timeout serial labels)
  string(MD5 list "${target} ${filter}")
  string(PREPEND list "tests_")
  gtest_discover_tests(${target}
    TEST_PREFIX "${name}." TEST_FILTER "${filter}" TEST_LIST ${list}
    DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${timeout} RUN_SERIAL ${serial})
  set(file ${CMAKE_CURRENT_BINARY_DIR}/labels-${list}.cmake)
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT
    "if(@list@)\n  set_tests_properties(\${@list@} PROPERTIES LABELS \"@labels@\")\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${file})
endfunction()

# fastgpu_add_test(<name> SOURCES <file>...
#   [LABELS <label>...]       of every test of the executable: threads (tsan runs these), gpu, ...
#   [RELEASE <filter>...]     GoogleTest filters of its tests of tier `release`, which scripts/test leaves out
#   [LIBRARIES <target>...]   beside fastgpu, the fakes of tests/support and GoogleTest
#   [PROGRAMS <target>...]    that its tests start, found in the folder FASTGPU_TEST_PROGRAMS
#   [SERIAL])                 tests that measure time: nothing runs beside them
#
# A test is listed as <name>.<Suite>.<Test> with the label <name>; GTEST_SKIP() shows as skipped.
function(fastgpu_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "" "SOURCES;LABELS;RELEASE;LIBRARIES;PROGRAMS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "fastgpu_add_test(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  set(target fastgpu_${name}_test)
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE
    fastgpu_warnings ${arg_LIBRARIES} fastgpu_test_support fastgpu_inside GTest::gmock GTest::gmock_main)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  fastgpu_tests_depend(${target} ${name} ${arg_LABELS})
  if("gpu" IN_LIST arg_LABELS)
    set_property(GLOBAL APPEND PROPERTY fastgpu_gpu_tests ${target})
  endif()
  if(arg_PROGRAMS)
    add_dependencies(${target} ${arg_PROGRAMS})
    target_compile_definitions(${target} PRIVATE
      FASTGPU_TEST_PROGRAMS="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  endif()

  list(JOIN arg_RELEASE ":" release)
  set(labels ${name} ${arg_LABELS})
  if(release)
    fastgpu_discover(${target} ${name} "-${release}" ${fastgpu_test_timeout} ${arg_SERIAL} "${labels}")
    fastgpu_discover(${target} ${name} "${release}" ${fastgpu_release_timeout} ${arg_SERIAL} "${labels};release")
  else()
    fastgpu_discover(${target} ${name} "" ${fastgpu_test_timeout} ${arg_SERIAL} "${labels}")
  endif()
endfunction()

# fastgpu_add_long_count(<name> <GoogleTest filter> <variable>=<value>...)
#
# Tests of fastgpu_add_test(<name>) once more in tier `release`, with a count that they read from the environment.
function(fastgpu_add_long_count name filter)
  string(MAKE_C_IDENTIFIER "${filter}" identifier)
  set(test ${name}.long.${identifier})
  add_test(NAME ${test} COMMAND fastgpu_${name}_test --gtest_filter=${filter})
  set_tests_properties(${test} PROPERTIES
    ENVIRONMENT "${ARGN}" TIMEOUT ${fastgpu_release_timeout} LABELS "${name};release")
endfunction()

# fastgpu_add_program_test(<name> COMMAND <target> <argument>... [LABELS <label>...])
#
# A run of a program that passes if its exit status is 0.
function(fastgpu_add_program_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "COMMAND;LABELS")
  list(GET arg_COMMAND 0 target)
  fastgpu_tests_depend(${target} programs)
  set(timeout ${fastgpu_test_timeout})
  if("release" IN_LIST arg_LABELS)
    set(timeout ${fastgpu_release_timeout})
  endif()
  add_test(NAME programs.${name} COMMAND ${arg_COMMAND})
  set_tests_properties(programs.${name} PROPERTIES TIMEOUT ${timeout} LABELS "programs;${arg_LABELS}")
endfunction()

# fastgpu_add_misuse_tests(<name> SOURCE <file> MESSAGES <regex>...)
#
# Uses that must not compile. The file has `#if FASTGPU_MISUSE == 1`, 2, ... around them: the compiler must refuse
# the n-th with a message that matches the n-th regex, and take the file with FASTGPU_MISUSE=0.
function(fastgpu_add_misuse_tests name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE" "MESSAGES")
  set(script ${PROJECT_SOURCE_DIR}/cmake/fastgpu_check_misuse.cmake)
  cmake_path(ABSOLUTE_PATH arg_SOURCE)
  set(includes "$<TARGET_PROPERTY:fastgpu,INTERFACE_INCLUDE_DIRECTORIES>")
  set(case 0)
  foreach(message IN LISTS arg_MESSAGES)
    math(EXPR case "${case} + 1")
    add_test(NAME misuse.${name}.${case}
      COMMAND ${CMAKE_COMMAND}
        -D "COMPILER=${CMAKE_CXX_COMPILER}" -D "INCLUDES=${includes}" -D "SOURCE=${arg_SOURCE}"
        -D "CASE=${case}" -D "MESSAGE=${message}" -P ${script})
    set_tests_properties(misuse.${name}.${case} PROPERTIES TIMEOUT ${fastgpu_test_timeout} LABELS misuse)
  endforeach()
endfunction()

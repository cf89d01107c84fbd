# A page shows a program as it is, to the letter.
file(READ ${PAGE} page)
file(READ ${PROGRAM} program)
string(FIND "${page}" "```cpp\n${program}```" at)
if(at EQUAL -1)
  message(FATAL_ERROR "no C++ block of ${PAGE} is ${PROGRAM}")
endif()

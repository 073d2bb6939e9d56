# SPDX-License-Identifier: MIT
# Compiles one wrong declaration and looks for the words it must fail with: GCC prints them in its first error, and that
# stands within the first lines; Clang prints them in a note of its first error.
# cmake -D COMPILER= -D KIND=GCC|CLANG -D INCLUDE= -D SOURCE= -D HEADER= -P refuse.cmake
# HEADER: the options by which this compiler takes the DSL's header as it was read once, a list.
file(READ "${SOURCE}" text)
string(REGEX MATCH "// Must not compile: ([^\n]*)" line "${text}")
set(expected "${CMAKE_MATCH_1}")
if(expected STREQUAL "")
  message(FATAL_ERROR "${SOURCE} does not say what it must fail with")
endif()
execute_process(
  COMMAND "${COMPILER}" -std=c++20 -fsyntax-only ${HEADER} "-I${INCLUDE}" "${SOURCE}"
  RESULT_VARIABLE status
  OUTPUT_VARIABLE printed
  ERROR_VARIABLE printed)
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles")
endif()
set(place "${printed}")
if(KIND STREQUAL GCC)
  string(FIND "${printed}" "error: " error)
  string(SUBSTRING "${printed}" ${error} -1 place)
  string(REGEX MATCH "^[^\n]*" place "${place}")
  string(REPLACE "\\'" "'" place "${place}")
  string(SUBSTRING "${printed}" 0 ${error} before)
  string(REGEX MATCHALL "\n" lines "${before}")
  list(LENGTH lines lines)
  if(lines GREATER 15)
    message(FATAL_ERROR "the first error stands behind ${lines} lines:\n${printed}")
  endif()
endif()
string(FIND "${place}" "\"${expected}\"" found)
if(found EQUAL -1)
  message(FATAL_ERROR "the compiler does not print\n  ${expected}\nwhere it should, but\n${printed}")
endif()

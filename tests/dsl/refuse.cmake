# SPDX-License-Identifier: MIT
# Compiles one wrong declaration and looks for the words it must fail with.
# cmake -D COMPILER= -D INCLUDE= -D SOURCE= -P refuse.cmake
file(READ "${SOURCE}" text)
string(REGEX MATCH "// Must not compile: ([^\n]*)" line "${text}")
set(expected "${CMAKE_MATCH_1}")
if(expected STREQUAL "")
  message(FATAL_ERROR "${SOURCE} does not say what it must fail with")
endif()
execute_process(
  COMMAND "${COMPILER}" -std=c++20 -fsyntax-only "-I${INCLUDE}" "${SOURCE}"
  RESULT_VARIABLE status
  OUTPUT_VARIABLE printed
  ERROR_VARIABLE printed)
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles")
endif()
string(FIND "${printed}" "refuse(\"${expected}\"" found)
if(found EQUAL -1)
  message(FATAL_ERROR "the compiler does not print\n  ${expected}\nbut\n${printed}")
endif()

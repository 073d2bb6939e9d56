# SPDX-License-Identifier: MIT
# Compiles the wrong declaration of a page and compares what the page says that the compiler prints. "..." stands for text
# that the page leaves out.
# cmake -D COMPILER= -D KIND=GCC|CLANG -D INCLUDE= -D PAGE= -D FOLDER= -P quoted.cmake
file(READ "${PAGE}" page)
string(REGEX REPLACE ".*\n## When it is wrong\n" "" page "${page}")
string(REGEX MATCH "```cpp\n([^`]*)```" block "${page}")
set(code "${CMAKE_MATCH_1}")
set(words "g[+][+] prints")
if(KIND STREQUAL CLANG)
  set(words "clang[+][+] prints")
endif()
string(REGEX MATCH "${words}[^:]*:\n\n    ([^\n]*)\n" block "${page}")
set(quoted "${CMAKE_MATCH_1}")
if(code STREQUAL "" OR quoted STREQUAL "")
  message(FATAL_ERROR "${PAGE} has no wrong declaration, or does not say what ${KIND} prints of it")
endif()
set(source "${FOLDER}/quoted.${KIND}.cpp")
file(WRITE "${source}" "#include <rankone/dsl.hpp>\nusing namespace rankone;\n${code}")
execute_process(
  COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C "${COMPILER}" -std=c++20 -fsyntax-only "-I${INCLUDE}" "${source}"
  OUTPUT_VARIABLE printed
  ERROR_VARIABLE printed)
string(REPLACE ";" "," rest "${printed}")
string(REPLACE ";" "," quoted "${quoted}")
string(REPLACE "..." ";" parts "${quoted}")
foreach(part IN LISTS parts)
  string(STRIP "${part}" part)
  string(FIND "${rest}" "${part}" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "the compiler does not print\n  ${part}\nof ${quoted}, but\n${printed}")
  endif()
  string(SUBSTRING "${rest}" ${found} -1 rest)
endforeach()

# SPDX-License-Identifier: MIT
# Run as a script: turns every file of templates/ into one C++ source of string literals.
#   cmake -D ROOT=templates -D OUTPUT=templates.cpp -P embed.cmake

set(literal_limit 16000)  # compilers need only take 64 KB in one literal
file(GLOB_RECURSE paths RELATIVE "${ROOT}" "${ROOT}/*.cuh" "${ROOT}/*.hpp")
list(SORT paths)

set(entries "")
foreach(path IN LISTS paths)
  file(READ "${ROOT}/${path}" text)
  string(LENGTH "${text}" length)
  string(APPEND entries "    {\"${path}\",")
  set(begin 0)
  while(begin LESS length)
    string(SUBSTRING "${text}" ${begin} ${literal_limit} piece)
    string(APPEND entries "\nR\"rankone(${piece})rankone\"")
    math(EXPR begin "${begin} + ${literal_limit}")
  endwhile()
  if(length EQUAL 0)
    string(APPEND entries " \"\"")
  endif()
  string(APPEND entries "},\n")
endforeach()

file(WRITE "${OUTPUT}" "// Generated from templates/ by codegen/embed.cmake.
#include \"codegen/templates.hpp\"

namespace rankone {

const std::vector<TemplateFile>& template_files() {
  static const std::vector<TemplateFile> files = {
${entries}  };
  return files;
}

}  // namespace rankone
")

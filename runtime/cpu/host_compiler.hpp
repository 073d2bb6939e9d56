// SPDX-License-Identifier: MIT
// The host compiler: which one, with which flags, and one text through it.
#pragma once

#include <string>
#include <vector>

namespace rankone {

struct HostCompiler {
  std::vector<std::string> command;  // program and the user's own flags; the program by its full path
  std::string identity;              // changes when the program does
  std::string origin;                // "RANKONE_CXX", "CXX" or "default"
};

HostCompiler find_host_compiler();  // throws Error(not_found)
// Throws Error(unsupported) where that does not compile an empty program, which takes a moment.
void require_working(const HostCompiler& compiler);
const std::string& host_prelude();  // what stands in front of emitted text
std::string host_flags();           // for a cache key

// The bytes of a shared object. Throws Error(compile_failed) with the compiler's words, or
// Error(unsupported) where that is none that works.
std::string compile_on_host(const HostCompiler& compiler, const std::string& emitted_text);

}  // namespace rankone

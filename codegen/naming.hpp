// SPDX-License-Identifier: MIT
// Names of programs and entries: readable, and told apart by a digest of everything that is fixed.
#pragma once

#include <string>
#include <string_view>

#include "codegen/program.hpp"

namespace rankone {

// "gla_forward_k128v128_bf16_3f9c2a10". The digest is of the variant, the options, the schedule, the architecture and
// the pass, so that any two configurations link into one program and export into one folder.
std::string name_of(const Program& program);
// The same of an entry that does `what`.
std::string name_of(const Program& program, std::string_view what);

}  // namespace rankone

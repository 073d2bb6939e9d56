// SPDX-License-Identifier: MIT
// A C header for those who launch exported kernels: the argument struct, the sizes as functions, the entries.
#pragma once

#include <string>

#include "codegen/program.hpp"

namespace rankone {

// NAME.h; stands alone as C11 and as C++17. All names in it begin with the program's.
std::string c_header(const Program& program);

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Prints of each `if constexpr` whose condition is known the branch that is taken: who reads emitted text reads what runs.
#pragma once

#include <string>
#include <string_view>

#include "codegen/constants.hpp"

namespace rankone {

// A condition that is not known stays with all its branches. A branch with declarations keeps its braces, others go, and
// what stands behind a taken `return` goes, too.
std::string settled(std::string_view text, const Constants& constants);

}  // namespace rankone

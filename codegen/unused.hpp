// SPDX-License-Identifier: MIT
// What a function declares and does not use, since the branches went that did.
#pragma once

#include <string>
#include <string_view>

namespace rankone {

// Of one function, its head with it: constants and type names of its own go, other variables and parameters are said to be
// unused, so that no compiler warns of them.
std::string without_unused(std::string_view function);

}  // namespace rankone

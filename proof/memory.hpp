// SPDX-License-Identifier: MIT
// Whether this machine has the memory that sizes ask for.
#pragma once

#include <string>

namespace rankone {

// Refuses at once what would otherwise be a long fill, and then no memory: throws Error(unsupported) for more than half of
// what the machine has. `sizes`: what takes so much, for the sentence.
void require_memory(double bytes, const std::string& sizes, const std::string& where);

}  // namespace rankone

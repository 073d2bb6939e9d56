// SPDX-License-Identifier: MIT
// The help of the program and of each command, wrapped at the terminal's width.
#pragma once

#include <string>

#include "tools/flags.hpp"

namespace rankone {

std::string general_help();
std::string help_of(const Command& command);

// Of the terminal that standard output is, else COLUMNS, else 100; from 40 on.
std::size_t help_width();

}  // namespace rankone

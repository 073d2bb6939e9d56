// SPDX-License-Identifier: MIT
// From argv to a command and its options.
#pragma once

#include <string>

#include "tools/options.hpp"

namespace rankone {

struct Invocation {
  int (*command)(const Options&) = nullptr;  // null: print `text` and be done
  Options options{};
  std::string text;  // help or version
};

// Throws Error for anything that is not accepted.
Invocation parse_arguments(int count, const char* const* words);

}  // namespace rankone

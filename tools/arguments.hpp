// SPDX-License-Identifier: MIT
// From argv to a command and its options.
#pragma once

#include <string>

#include "tools/json.hpp"
#include "tools/options.hpp"

namespace rankone {

struct Invocation {
  int (*command)(const Options&) = nullptr;  // null: print `text` and be done
  Options options{};
  std::string where;  // "rankone check"
  std::string text;   // help or version
  Json document;      // the same, for --json
};

// From the words themselves, since they may be what fails to parse.
bool json_wanted(int count, const char* const* words);

// Throws Error for anything that is not accepted.
Invocation parse_arguments(int count, const char* const* words);

}  // namespace rankone

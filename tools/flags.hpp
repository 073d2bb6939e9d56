// SPDX-License-Identifier: MIT
// The tables of commands and options: what each is called, takes and says of itself.
#pragma once

#include <string>
#include <vector>

#include "tools/options.hpp"

namespace rankone {

struct Flag {
  const char *name, *value, *help;
  const char* accepted = "";  // what its value may be
  std::string Options::*one = nullptr;
  std::vector<std::string> Options::*many = nullptr;
  bool Options::*toggle = nullptr;
};

using Flags = std::vector<const Flag*>;

struct Command {
  const char *name, *summary, *positional;
  Flags flags;
  const char* example;
  int (*run)(const Options&);
};

const std::vector<Command>& commands();

// Those that every command has, the last of them where it has any other.
const Flag &json_flag(), &quiet_flag(), &seed_flag();

}  // namespace rankone

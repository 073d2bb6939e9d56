// SPDX-License-Identifier: MIT
// The tables of commands and options: what each is called, takes and says of itself.
#pragma once

#include <string>
#include <vector>

#include <rankone/knobs.hpp>

#include "tools/options.hpp"

namespace rankone {

struct Flag {
  std::string name, value{}, help{};  // without `value` it takes none
  std::string accepted{};             // what its value may be
  std::string Options::*one = nullptr;
  std::vector<std::string> Options::*many = nullptr;
  bool Options::*toggle = nullptr;
  std::string pin{}, pin_value{};  // of the schedule: which, and to what where it takes no value

  bool takes_value() const { return !value.empty(); }
};

using Flags = std::vector<const Flag*>;

struct Command {
  const char *name, *summary, *positional;  // "VARIANT", "VARIANT...", "ACTION" or ""
  Flags flags;
  const char* example;
  int (*run)(const Options&);
  bool needs_word = false;
};

const std::vector<Command>& commands();

// Knobs have options: the one place that knows under which names.
std::string flag_of(const Knob& knob);
// The option that a refusal of the library means by "pins.chunk"; other places stay as they are.
std::string flag_at(const std::string& place);

// Those that the command takes, or that may stand in front of any.
Flags flags_of(const Command* command);

}  // namespace rankone

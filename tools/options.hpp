// SPDX-License-Identifier: MIT
// What the user typed, word for word: each command interprets what it reads.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace rankone {

struct Options {
  bool json = false, quiet = false, packed = false, latex = false, markdown = false;
  std::string seed;
  std::vector<std::string> variants, shapes, archs, scalars;
  std::string pass, dtype, precision, state_dtype, device;
  std::string saved;
  std::map<std::string, std::string> pins;  // of the schedule: "family" and knobs, by their names in the library
  std::string input, output, format, budget, repeats, suite, action;
};

}  // namespace rankone

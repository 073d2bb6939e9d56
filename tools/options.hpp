// SPDX-License-Identifier: MIT
// What the user typed, word for word: each command interprets what it reads.
#pragma once

#include <string>
#include <vector>

namespace rankone {

struct Options {
  bool json = false, quiet = false, packed = false, prepared = false;
  std::string seed;
  std::vector<std::string> variants, shapes, archs, scalars;
  std::string pass, dtype, precision, device;
  std::string family, chunk, states, saved, value_tile, warps, stages, cluster;  // a pinned schedule
  std::string input, output, format, budget, repeats, suite, action;
};

}  // namespace rankone

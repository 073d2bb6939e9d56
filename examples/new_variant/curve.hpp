// SPDX-License-Identifier: MIT
// Loss curves as one self-contained SVG.
#pragma once

#include <string>
#include <vector>

namespace new_variant {

struct Curve {
  std::string label;
  std::vector<double> losses;  // of each step, bits a byte
};
std::string draw(const std::string& title, const std::vector<Curve>& curves);

}  // namespace new_variant

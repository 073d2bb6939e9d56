// SPDX-License-Identifier: MIT
// log(exp(a) + exp(b)), however large they are.
#pragma once

#include <algorithm>
#include <cmath>

namespace rankone {

// Of nothing it is minus infinity.
inline double log_sum_exp(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  const double most = std::max(a, b);
  if (!std::isfinite(most)) return most;
  return most + std::log1p(std::exp(std::min(a, b) - most));
}

}  // namespace rankone

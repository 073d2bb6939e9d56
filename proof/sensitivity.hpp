// SPDX-License-Identifier: MIT
// What float32 has to be off by where the definition is a small difference of large numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proof/problem.hpp"

namespace rankone {

// The same problem in float64, each number of its inputs moved to one of its two neighbours.
Problem nudged(const Problem& problem, std::uint64_t seed);

// What the definition's own roundings, in float64, do to its outputs where each input moves by its last digit, times how
// much coarser float32 is: the relative error of whoever rounds the same sums to float32. Where terms do not cancel it
// is some 1e-7. Of a number that is 0 whatever the inputs, as the slope of a softmax over a row of equal numbers, it is
// what rounding leaves of the terms, over the norm that compare() takes for it.
struct Sensitivity {
  std::string name;
  double relative = 0;
};
// Of each output, over problems of one shape, each with its outputs, which are `reference`.
struct Referred {
  Problem problem;
  const std::vector<HostTensor>* reference = nullptr;
};
std::vector<Sensitivity> float32_sensitivities(const std::vector<Referred>& draws);

}  // namespace rankone

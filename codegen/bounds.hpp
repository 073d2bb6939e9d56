// SPDX-License-Identifier: MIT
// Between which numbers a formula stays whatever its tensors hold, and what that says of float16.
#pragma once

#include <string>
#include <vector>

#include <rankone/dsl/variant.hpp>

namespace rankone {

struct Interval {
  double low, high;
};
Interval bounds_of(Nodes formula);
// Of each node.
std::vector<Interval> all_bounds(Nodes formula);

// What an absolute error of a logarithm, a log-sigmoid or a softplus within the formula is multiplied with at most on its
// way to the result; 0 where there is none.
double growth_of_log_errors(Nodes formula);

// Why the Hopper family cannot keep this variant within float16's range; empty where it can.
std::string why_beyond_f16(const Variant& variant);

// Under per-key decays: of a power of two that what stands in k's place, or multiplies it, does not exceed.
int key_growth_log2(const Variant& variant);

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Between which numbers a formula stays whatever its tensors hold, and what that says of float16.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <rankone/dsl/variant.hpp>

namespace rankone {

struct Interval {
  double low, high;
};
// Of a leaf, where more is known than its row in the table of operations says.
using KnownLeaves = std::function<std::optional<Interval>(Operation)>;
Interval bounds_of(Nodes formula, const KnownLeaves& known = {});
// Of each node.
std::vector<Interval> all_bounds(Nodes formula, const KnownLeaves& known = {});

// What an output reads of a normaliser: at least 0 where queries, keys and what is written at them are.
Interval normaliser_bounds(const Variant& variant);

// What an absolute error of a logarithm, a log-sigmoid or a softplus within the formula is multiplied with at most on its
// way to the result; 0 where there is none.
double growth_of_log_errors(Nodes formula);

// Why the Hopper family cannot keep this variant within float16's range; empty where it can.
std::string why_beyond_f16(const Variant& variant);

// Under per-key decays: of a power of two that what stands in k's place, or multiplies it, does not exceed.
int key_growth_log2(const Variant& variant);

}  // namespace rankone

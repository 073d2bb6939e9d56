// SPDX-License-Identifier: MIT
// Expression graphs as infix text, in a style: formulas, captions and CUDA share it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <rankone/dsl/expression.hpp>

namespace rankone {

// The same formula with each subexpression once, in the order of first use. Only what the result needs stays.
Expression canonical(const Expression& expression);

struct RenderStyle {
  std::function<std::string(const Node&)> leaf;              // text of a leaf
  std::function<std::string(Operation)> function;            // name of a function
  std::function<std::string(double)> exact_reciprocal = {};  // text of 1 / constant where that is exact; may be empty
  bool divides_by_call = false;                              // divide(a, b) instead of a / b
  bool binds_leaves = false;                                 // tensors that are read twice get a name as well
};

struct Rendering {
  std::vector<std::pair<std::string, std::string>> bindings;  // name and text of what stands more than once
  std::string result;
};

// `expression` is canonical.
Rendering render(const Expression& expression, const RenderStyle& style);

}  // namespace rankone

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
  std::function<std::string(const Node&)> leaf;    // text of a leaf
  std::function<std::string(Operation)> function;  // name of a function
  // Division by a power of two is a product, other divisions are calls, and a tensor that is read twice gets a name.
  bool cuda = false;
};

struct Rendering {
  std::vector<std::pair<std::string, std::string>> bindings;  // name and text of what stands more than once
  std::string result;
};

// `expression` is canonical.
Rendering render(const Expression& expression, const RenderStyle& style);

}  // namespace rankone

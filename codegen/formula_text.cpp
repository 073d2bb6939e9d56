// SPDX-License-Identifier: MIT
// Prints expressions as formulas.
#include <rankone/dsl/describe.hpp>

#include "codegen/formula.hpp"
#include "codegen/names.hpp"

namespace rankone {
namespace {

std::string axes_text(Axes axes) {
  if (axes.has(Axes::automatic)) return {};
  std::string text;
  for (const auto& each : axis_names)
    if (axes.has(each.value)) text += (text.empty() ? ", " : " | ") + std::string(each.name);
  return text;
}

Infix leaf(const Leaf& leaf) {
  if (leaf.operation == Operation::constant) return {to_string(leaf.value)};
  return {std::string(name_of(leaf.operation)) + "(" + std::string(leaf.view()) + axes_text(leaf.axes) + ")"};
}

}  // namespace

std::string formula_text(const Expression& expression) { return to_string(expression, description::style(leaf)); }

}  // namespace rankone

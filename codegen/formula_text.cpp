// SPDX-License-Identifier: MIT
// Prints expressions as formulas.
#include <charconv>

#include <rankone/dsl/operations.hpp>

#include "codegen/formula.hpp"
#include "codegen/render.hpp"

namespace rankone {
namespace {

std::string number(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string axes_text(Axes axes) {
  if (axes == Axes{}) return {};
  std::string text;
  const auto add = [&](unsigned char bit, const char* name) {
    if (axes.bits & bit) text += (text.empty() ? ", " : " | ") + std::string(name);
  };
  add(Axes::head, "H");
  add(Axes::value_head, "HV");
  add(Axes::key, "K");
  add(Axes::value, "V");
  return text;
}

std::string leaf(const Node& node) {
  if (node.operation == Operation::constant) return number(node.value);
  return std::string(name_of(node.operation)) + "(" + std::string(node.name.view()) + axes_text(node.axes) + ")";
}

std::string bare_leaf(const Node& node) {
  if (node.operation == Operation::constant) return number(node.value);
  return std::string(is_named(node.operation) ? node.name.view() : name_of(node.operation));
}

std::string function(Operation operation) { return std::string(name_of(operation)); }

std::string text(const Expression& expression, std::string (*leaf_text)(const Node&)) {
  if (expression.empty()) return {};
  const Rendering rendering = render(canonical(expression), {.leaf = leaf_text, .function = function});
  std::string result;
  for (const auto& [name, value] : rendering.bindings) result.append(name).append(" = ").append(value).append("; ");
  return result + rendering.result;
}

}  // namespace

std::string formula_text(const Expression& expression) { return text(expression, leaf); }
std::string formula_caption(const Expression& expression) { return text(expression, bare_leaf); }

}  // namespace rankone

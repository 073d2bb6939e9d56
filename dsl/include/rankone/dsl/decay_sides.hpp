// SPDX-License-Identifier: MIT
// A decay of elements that is the product of one for each key and one for each value column: found in its formula.
#pragma once

#include <rankone/dsl/formula.hpp>
#include <rankone/dsl/leaves.hpp>

namespace rankone {

// The logarithms of both; empty where a decay is not such a product.
struct DecaySides {
  Expression of_keys{}, of_values{};
  constexpr explicit operator bool() const { return !of_keys.empty(); }
};

// The terms of a sum, each read at keys or at value columns alone.
constexpr DecaySides decay_sides(const Variant& variant) {
  if (!variant.decays_by_key() || !variant.decays_by_value()) return {};
  const Expression formula = variant.formula(Formula::decay);
  const Axes domain = variant.domain(Formula::decay);
  Axes axes[max_nodes]{};
  for (int i = 0; i < formula.size; ++i) {
    const Node& node = formula[i];
    axes[i] = is_tensor(node.operation) ? resolve(node.axes, domain) : Axes::none;
    for (const short operand : {node.left, node.right})
      if (operand >= 0) axes[i] = axes[i] | axes[operand];
  }
  DecaySides sides;
  short waiting[max_nodes]{static_cast<short>(formula.size - 1)};
  for (int left = 1; left > 0;) {
    const short at = waiting[--left];
    const bool by_key = axes[at].has(Axes::key), by_value = axes[at].has(Axes::value);
    if (!by_key || !by_value) {
      Expression& side = by_value ? sides.of_values : sides.of_keys;
      const Expression term(formula, at);
      side = side.empty() ? term : side + term;
    } else if (formula[at].operation == Operation::add) {
      waiting[left++] = formula[at].right;
      waiting[left++] = formula[at].left;
    } else {
      return {};
    }
  }
  if (sides.of_keys.empty() || sides.of_values.empty()) return {};
  return {settle(sides.of_keys, domain), settle(sides.of_values, domain)};
}

}  // namespace rankone

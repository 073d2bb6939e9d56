// SPDX-License-Identifier: MIT
// Elementwise formulas over token inputs and parameters.
#pragma once

#include <rankone/dsl/graph.hpp>

namespace rankone {

// The last node is the result, and every other one is needed for it. No node: "not given".
struct Expression : Graph<max_nodes> {
  constexpr Expression() = default;
  // Implicit, so that numbers mix with expressions.
  constexpr Expression(double constant) { append({.value = constant}); }
  constexpr Expression(const Leaf& leaf) { add(leaf); }
  // What `root` needs of a list, in the order of first use.
  template <int most> constexpr Expression(const Graph<most>& source, int root) { add(source, root); }

  constexpr const Node& root() const { return (*this)[size - 1]; }
};

constexpr bool reads(Nodes formula, Operation leaf) {
  for (const Node& node : formula)
    if (node.operation == leaf) return true;
  return false;
}

// Whether it has a sum or a maximum over keys.
constexpr bool reduces_keys(Nodes formula) {
  for (const Node& node : formula)
    if (reduces_keys(node.operation)) return true;
  return false;
}

// The same formula, in whatever order its nodes stand.
constexpr bool operator==(const Expression& a, const Expression& b) {
  if (a.size != b.size || a.empty()) return a.size == b.size;
  Expression both = a;
  return both.add(b, b.size - 1) == a.size - 1 && both.size == a.size;
}

}  // namespace rankone

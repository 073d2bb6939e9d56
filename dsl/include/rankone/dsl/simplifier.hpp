// SPDX-License-Identifier: MIT
// A graph whose sums and products drop zeros and ones and fold numbers.
#pragma once

#include <rankone/dsl/expression.hpp>
#include <rankone/dsl/operations.hpp>

namespace rankone::reverse {

inline constexpr short zero = -1;  // a slope that vanishes has no node

// A formula's node becomes one, and its slope passes through at most nine (through a maximum over keys).
inline constexpr int max_swept = 10 * max_nodes + 8;

struct Simplifier {
  Graph<max_swept> graph{};

  constexpr bool is_constant(short a) const { return graph[a].operation == Operation::constant; }
  constexpr bool is_constant(short a, double value) const { return is_constant(a) && graph[a].value == value; }
  constexpr double value(short a) const { return graph[a].value; }
  constexpr bool is_reciprocal(short a) const {
    return graph[a].operation == Operation::divide && is_constant(graph[a].left, 1);
  }

  constexpr short negate(short a) {
    if (a == zero) return zero;
    if (is_constant(a)) return graph.add(-value(a));
    if (graph[a].operation == Operation::negate) return graph[a].left;
    return graph.add(Operation::negate, a);
  }
  constexpr short add(short a, short b) {
    if (a == zero) return b;
    if (b == zero) return a;
    if (is_constant(a) && is_constant(b)) return graph.add(value(a) + value(b));
    if (graph[b].operation == Operation::negate) return graph.add(Operation::subtract, a, graph[b].left);
    return graph.add(Operation::add, a, b);
  }
  constexpr short subtract(short a, short b) {
    if (b == zero || is_constant(b, 0)) return a;
    if (a == zero || is_constant(a, 0)) return negate(b);
    if (is_constant(a) && is_constant(b)) return graph.add(value(a) - value(b));
    if (a == b) return zero;
    return graph.add(Operation::subtract, a, b);
  }
  constexpr short multiply(short a, short b) {
    if (a == zero || b == zero || is_constant(a, 0) || is_constant(b, 0)) return zero;
    if (is_constant(a) && is_constant(b)) return graph.add(value(a) * value(b));
    if (is_constant(a, 1)) return b;
    if (is_constant(b, 1)) return a;
    if (is_constant(a, -1)) return negate(b);
    if (is_constant(b, -1)) return negate(a);
    if (is_reciprocal(a)) return divide(b, graph[a].right);
    if (is_reciprocal(b)) return divide(a, graph[b].right);
    return graph.add(Operation::multiply, a, b);
  }
  constexpr short divide(short a, short b) {
    if (a == zero) return zero;
    if (is_constant(b, 1)) return a;
    return graph.add(Operation::divide, a, b);
  }
  constexpr short one_minus(short a) { return graph.add(Operation::subtract, graph.add(1.0), a); }
};

}  // namespace rankone::reverse

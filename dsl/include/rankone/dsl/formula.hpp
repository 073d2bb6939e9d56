// SPDX-License-Identifier: MIT
// Writing expressions: leaves, operators and functions.
#pragma once

#include <rankone/dsl/graph.hpp>

namespace rankone {

// The expression of one node over the results of others; what parsers of formulas use, too.
constexpr Expression leaf(const Node& node) {
  Expression result;
  result.nodes[0] = node;
  result.size = 1;
  return result;
}
constexpr Expression apply(Operation operation, const Expression& operand) {
  Graph graph;
  const short left = graph.add(operand);
  return graph.take(graph.add(operation, left));
}
constexpr Expression apply(Operation operation, const Expression& left_operand, const Expression& right_operand) {
  Graph graph;
  const short left = graph.add(left_operand), right = graph.add(right_operand);
  return graph.take(graph.add(operation, left, right));
}

// Leaves. Without axes a tensor has those of the gate it stands in.
constexpr Expression input(Name name, Axes axes = {}) {
  return leaf({.operation = Operation::input, .name = name, .axes = axes});
}
constexpr Expression param(Name name, Axes axes = {}) {
  return leaf({.operation = Operation::parameter, .name = name, .axes = axes});
}
constexpr Expression scalar(Name name) { return leaf({.operation = Operation::scalar, .name = name}); }
constexpr Expression element() { return leaf({.operation = Operation::element}); }
constexpr Expression key() { return leaf({.operation = Operation::key}); }
constexpr Expression decay() { return leaf({.operation = Operation::decay}); }
constexpr Expression head() { return leaf({.operation = Operation::head}); }
constexpr Expression heads() { return leaf({.operation = Operation::heads}); }
constexpr Expression position() { return leaf({.operation = Operation::position}); }

// Operators and functions; a number serves wherever an expression does.
constexpr Expression operator-(const Expression& a) { return apply(Operation::negate, a); }
constexpr Expression operator+(const Expression& a, const Expression& b) { return apply(Operation::add, a, b); }
constexpr Expression operator-(const Expression& a, const Expression& b) { return apply(Operation::subtract, a, b); }
constexpr Expression operator*(const Expression& a, const Expression& b) { return apply(Operation::multiply, a, b); }
constexpr Expression operator/(const Expression& a, const Expression& b) { return apply(Operation::divide, a, b); }

// Plain functions, not objects: so they overload with those of <cmath> under `using namespace rankone`.
constexpr Expression exp(const Expression& x) { return apply(Operation::exp, x); }
constexpr Expression log(const Expression& x) { return apply(Operation::log, x); }
constexpr Expression sigmoid(const Expression& x) { return apply(Operation::sigmoid, x); }
constexpr Expression log_sigmoid(const Expression& x) { return apply(Operation::log_sigmoid, x); }
constexpr Expression softplus(const Expression& x) { return apply(Operation::softplus, x); }
constexpr Expression tanh(const Expression& x) { return apply(Operation::tanh, x); }
constexpr Expression silu(const Expression& x) { return apply(Operation::silu, x); }
constexpr Expression relu(const Expression& x) { return apply(Operation::relu, x); }
constexpr Expression sqrt(const Expression& x) { return apply(Operation::sqrt, x); }
constexpr Expression square(const Expression& x) { return apply(Operation::square, x); }
constexpr Expression step(const Expression& x) { return apply(Operation::step, x); }
constexpr Expression min(const Expression& a, const Expression& b) { return apply(Operation::minimum, a, b); }
constexpr Expression max(const Expression& a, const Expression& b) { return apply(Operation::maximum, a, b); }

}  // namespace rankone

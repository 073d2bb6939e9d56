// SPDX-License-Identifier: MIT
// Writing expressions: leaves, operators and functions.
#pragma once

#include <rankone/dsl/expression.hpp>
#include <rankone/dsl/operations.hpp>

namespace rankone {

// The result of an operation on expressions; what parsers of formulas use, too. Nothing else reads an operand's root, so
// that the operation cannot stand there yet.
constexpr Expression apply(Operation operation, const Expression& operand) {
  if (operand.empty()) refuse<"an operand is an expression that is not empty", "a formula">(Described{"an empty one"});
  Expression result = operand;
  result.append({.operation = operation, .left = static_cast<short>(operand.size - 1)});
  return result;
}
constexpr Expression apply(Operation operation, const Expression& left, const Expression& right) {
  if (left.empty() || right.empty())
    refuse<"an operand is an expression that is not empty", "a formula">(Described{"an empty one"});
  Expression result = left;
  const short second = result.add(right, right.size - 1);
  result.append({.operation = operation, .left = static_cast<short>(left.size - 1), .right = second});
  return result;
}

// A formula with another one in the place of a leaf.
constexpr Expression replaced(const Expression& formula, Operation leaf, const Expression& by) {
  Expression result = by;
  short moved[max_nodes]{};
  for (int i = 0; i < formula.size; ++i) {
    const Node& node = formula[i];
    const auto operand = [&](short index) { return index < 0 ? index : moved[index]; };
    moved[i] = node.operation == leaf ? static_cast<short>(by.size - 1)
               : operand_count(node.operation) == 0
                   ? result.add(formula.leaf(node))
                   : result.add(node.operation, operand(node.left), operand(node.right));
  }
  return Expression(result, moved[formula.size - 1]);
}

// Leaves. Without axes a tensor has those of the formula it stands in.
constexpr Expression input(Name name, Axes axes = {}) { return Leaf{Operation::input, name, axes}; }
constexpr Expression param(Name name, Axes axes = {}) { return Leaf{Operation::parameter, name, axes}; }
constexpr Expression scalar(Name name) { return Leaf{Operation::scalar, name}; }
constexpr Expression element() { return Leaf{Operation::element}; }
constexpr Expression other() { return Leaf{Operation::other}; }
constexpr Expression keys() { return Leaf{Operation::keys}; }
constexpr Expression query() { return Leaf{Operation::query}; }
constexpr Expression key() { return Leaf{Operation::key}; }
constexpr Expression value() { return Leaf{Operation::value}; }
constexpr Expression decay() { return Leaf{Operation::decay}; }
constexpr Expression read() { return Leaf{Operation::read}; }
// What the query reads of a value column of ones: keys that are written, decayed and erased as values are, and summed.
constexpr Expression normaliser() { return Leaf{Operation::normaliser}; }
// Of what is read beside a write_log_scale: both it and the normaliser are in units of exp(m), m its running maximum, and
// this is exp(-m). Without them it would be 1.
constexpr Expression unit() { return Leaf{Operation::unit}; }
// Of a scan: what has been summed up behind the token, and before it.
constexpr Expression scanned() { return Leaf{Operation::scanned}; }
constexpr Expression scanned_before() { return Leaf{Operation::scanned_before}; }
// Of a chain's second pass: what the first one has read of the token, a number for each slot.
constexpr Expression passed() { return Leaf{Operation::passed}; }
constexpr Expression head() { return Leaf{Operation::head}; }
constexpr Expression heads() { return Leaf{Operation::heads}; }
constexpr Expression position() { return Leaf{Operation::position}; }

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
constexpr Expression sin(const Expression& x) { return apply(Operation::sin, x); }
constexpr Expression cos(const Expression& x) { return apply(Operation::cos, x); }
constexpr Expression silu(const Expression& x) { return apply(Operation::silu, x); }
constexpr Expression relu(const Expression& x) { return apply(Operation::relu, x); }
constexpr Expression sqrt(const Expression& x) { return apply(Operation::sqrt, x); }
constexpr Expression square(const Expression& x) { return apply(Operation::square, x); }
constexpr Expression step(const Expression& x) { return apply(Operation::step, x); }
// Over the keys of a head, where a formula runs over keys alone.
constexpr Expression key_sum(const Expression& x) { return apply(Operation::key_sum, x); }
constexpr Expression key_max(const Expression& x) { return apply(Operation::key_max, x); }
constexpr Expression min(const Expression& a, const Expression& b) { return apply(Operation::minimum, a, b); }
constexpr Expression max(const Expression& a, const Expression& b) { return apply(Operation::maximum, a, b); }

constexpr Expression abs(const Expression& x) { return max(x, -x); }

// Of a row of keys: by its length, and by the root of its mean square.
constexpr Expression l2_normalize(const Expression& x, double epsilon) {
  return x / sqrt(key_sum(square(x)) + epsilon);
}
constexpr Expression l2_normalize(const Expression& x) { return l2_normalize(x, 1e-6); }
constexpr Expression rms_normalize(const Expression& x, double epsilon) {
  return x / sqrt(key_sum(square(x)) / key_sum(1) + epsilon);
}
constexpr Expression rms_normalize(const Expression& x) { return rms_normalize(x, 1e-6); }
constexpr Expression softmax(const Expression& x) {
  const Expression power = exp(x - key_max(x));
  return power / key_sum(power);
}

// Of a feature map: several side by side.
constexpr Expression concatenate(const Expression& a, const Expression& b) {
  return apply(Operation::concatenate, a, b);
}
template <class... More>
constexpr Expression concatenate(const Expression& a, const Expression& b, const Expression& c, const More&... more) {
  return concatenate(concatenate(a, b), c, more...);
}
// To second order what exp(q.k K^-0.5) is: a feature map under which the product of a query and a key is 1 + s + s^2/2.
constexpr Expression taylor(const Expression& element) {
  return concatenate(1, element / sqrt(sqrt(keys())), element * other() / sqrt(2 * keys()));
}

}  // namespace rankone

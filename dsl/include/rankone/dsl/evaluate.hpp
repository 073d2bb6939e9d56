// SPDX-License-Identifier: MIT
// The value of an expression, in double.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>

#include <rankone/dsl/expression.hpp>
#include <rankone/dsl/math.hpp>
#include <rankone/dsl/operations.hpp>

namespace rankone {

// One operation on its operands; `b` only counts where there are two.
constexpr double evaluate(Operation operation, double a, double b = 0) {
  switch (operation) {
    case Operation::negate: return -a;
    case Operation::exp: return math::exp(a);
    case Operation::log: return math::log(a);
    case Operation::sigmoid: return math::sigmoid(a);
    case Operation::log_sigmoid: return math::log_sigmoid(a);
    case Operation::softplus: return math::softplus(a);
    case Operation::tanh: return math::tanh(a);
    case Operation::sin: return math::sin(a);
    case Operation::cos: return math::cos(a);
    case Operation::silu: return math::silu(a);
    case Operation::relu: return math::relu(a);
    case Operation::sqrt: return math::sqrt(a);
    case Operation::square: return math::square(a);
    case Operation::step: return math::step(a);
    case Operation::key_sum:
    case Operation::key_max: return a;  // of a row of one
    case Operation::subtract: return a - b;
    case Operation::multiply: return a * b;
    case Operation::divide: return math::divide(a, b);
    case Operation::concatenate:  // as one number: finite where both are
    case Operation::add: return a + b;
    case Operation::minimum: return math::minimum(a, b);
    case Operation::maximum: return math::maximum(a, b);
    default:
      refuse<"an operation has operands; a leaf takes its value from the environment", "operations">(
          name_of(operation));
  }
}

struct Binding {
  Name name;
  double value = 0;
};

// Where in a call a formula stands: leaves that are decided by nothing else.
struct TokenPlace {
  double head = 0, heads = 1;  // the value head, HV
  double position = 0;         // of the token in its sequence
  double keys = 1;             // K

  // None for any other leaf.
  constexpr std::optional<double> value_of(Operation leaf) const {
    switch (leaf) {
      case Operation::head: return head;
      case Operation::heads: return heads;
      case Operation::position: return position;
      case Operation::keys: return keys;
      default: return std::nullopt;
    }
  }
};

// What the leaves of an expression stand for.
struct Environment {
  std::initializer_list<Binding> named{};  // inputs, parameters and scalars
  double element = 0, other = 0, query = 0, key = 0, value = 0, decay = 0, read = 0, normaliser = 0, unit = 1;
  double head = 0, heads = 1, position = 0, keys = 1;

  constexpr double operator()(const Leaf& leaf) const {
    if (const auto value = TokenPlace{head, heads, position, keys}.value_of(leaf.operation)) return *value;
    switch (leaf.operation) {
      case Operation::element: return element;
      case Operation::other: return other;
      case Operation::query: return query;
      case Operation::key: return key;
      case Operation::value: return value;
      case Operation::decay: return decay;
      case Operation::read: return read;
      case Operation::normaliser: return normaliser;
      case Operation::unit: return unit;
      default: break;
    }
    for (const Binding& binding : named)
      if (binding.name == leaf.name) return binding.value;
    refuse<"every input, parameter and scalar of an expression needs a value", "a value for it">(leaf.view());
  }
};

// Of the node `root`. `leaf` gives the value of an input, parameter, scalar or other leaf: an Environment, or any callable.
template <int most, class LeafValue>
constexpr double evaluate(const Graph<most>& graph, int root, const LeafValue& leaf) {
  std::array<double, static_cast<std::size_t>(most)> values{};
  for (int i = 0; i <= root; ++i) {
    const Node& node = graph[i];
    const auto operand = [&](short index) { return index < 0 ? 0.0 : values[static_cast<std::size_t>(index)]; };
    values[static_cast<std::size_t>(i)] = node.operation == Operation::constant ? node.value
                                          : operand_count(node.operation) == 0
                                              ? leaf(graph.leaf(node))
                                              : evaluate(node.operation, operand(node.left), operand(node.right));
  }
  return values[static_cast<std::size_t>(root)];
}
template <class LeafValue = Environment>
constexpr double evaluate(const Expression& expression, const LeafValue& leaf) {
  if (expression.empty())
    refuse<"an expression that is evaluated is not empty", "a formula">(Described{"an empty one"});
  return evaluate(static_cast<const Graph<max_nodes>&>(expression), expression.size - 1, leaf);
}
constexpr double evaluate(const Expression& expression) { return evaluate(expression, Environment{}); }

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The value of an expression, in double.
#pragma once

#include <array>
#include <initializer_list>

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
    case Operation::silu: return math::silu(a);
    case Operation::relu: return math::relu(a);
    case Operation::sqrt: return math::sqrt(a);
    case Operation::square: return math::square(a);
    case Operation::step: return math::step(a);
    case Operation::add: return a + b;
    case Operation::subtract: return a - b;
    case Operation::multiply: return a * b;
    case Operation::divide: return math::divide(a, b);
    case Operation::minimum: return math::minimum(a, b);
    case Operation::maximum: return math::maximum(a, b);
    default:
      refuse("an operation has operands; a leaf takes its value from the environment", name_of(operation),
             "operations");
  }
}

struct Binding {
  Name name;
  double value = 0;
};

// What the leaves of an expression stand for.
struct Environment {
  std::initializer_list<Binding> named{};  // inputs, parameters and scalars
  double element = 0, key = 0, decay = 0;
  double head = 0, heads = 1, position = 0;

  constexpr double operator()(const Node& node) const {
    switch (node.operation) {
      case Operation::element: return element;
      case Operation::key: return key;
      case Operation::decay: return decay;
      case Operation::head: return head;
      case Operation::heads: return heads;
      case Operation::position: return position;
      default: break;
    }
    for (const Binding& binding : named)
      if (binding.name == node.name) return binding.value;
    refuse("every input, parameter and scalar of an expression needs a value", node.name.view(), "a value for it");
  }
};

// `leaf` gives the value of an input, parameter, scalar or other leaf node: an Environment, or any callable.
template <class LeafValue = Environment>
constexpr double evaluate(const Expression& expression, const LeafValue& leaf) {
  if (expression.empty())
    refuse("an expression that is evaluated is not empty", Described{"an empty one"}, "a formula");
  std::array<double, max_nodes> values{};
  std::size_t i = 0;
  for (const Node& node : expression) {
    const auto operand = [&](short index) { return index < 0 ? 0.0 : values[static_cast<std::size_t>(index)]; };
    const double a = operand(node.left), b = operand(node.right);
    values[i++] = node.operation == Operation::constant ? node.value
                  : operand_count(node.operation) == 0  ? leaf(node)
                                                        : evaluate(node.operation, a, b);
  }
  return values[i - 1];
}
constexpr double evaluate(const Expression& expression) { return evaluate(expression, Environment{}); }

}  // namespace rankone

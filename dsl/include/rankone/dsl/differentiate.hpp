// SPDX-License-Identifier: MIT
// The derivative of an expression with respect to one of its leaves, as an expression.
#pragma once

#include <array>

#include <rankone/dsl/formula.hpp>

namespace rankone {

// Where a slope jumps, the convention is: relu and step have slope 0 at 0, and at a tie min and max follow their right
// operand (so max(x, 0) is relu(x)). A derivative has the graph of its expression beside it; equal parts are shared.
namespace derivative {

inline constexpr short zero = -1;  // a slope that vanishes has no node

// A graph whose sums and products drop zeros and ones and fold numbers.
struct Simplifier {
  Graph<4 * max_nodes> graph{};

  constexpr bool is_constant(short a) const { return graph[a].operation == Operation::constant; }
  constexpr bool is_constant(short a, double value) const { return is_constant(a) && graph[a].value == value; }
  constexpr double value(short a) const { return graph[a].value; }

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
    return graph.add(Operation::multiply, a, b);
  }
  constexpr short divide(short a, short b) {
    if (a == zero) return zero;
    if (is_constant(b, 1)) return a;
    return graph.add(Operation::divide, a, b);
  }
  constexpr short one_minus(short a) { return graph.add(Operation::subtract, graph.add(1.0), a); }

  // d(result)/d(leaf) from the slopes of the operands, which stand at `node.left` and `node.right`.
  constexpr short slope(const Node& node, short result, short left_slope, short right_slope) {
    const short x = node.left, y = node.right;
    switch (node.operation) {
      case Operation::negate: return negate(left_slope);
      case Operation::add: return add(left_slope, right_slope);
      case Operation::subtract: return subtract(left_slope, right_slope);
      case Operation::multiply: return add(multiply(left_slope, y), multiply(x, right_slope));
      case Operation::divide: return divide(subtract(left_slope, multiply(result, right_slope)), y);
      case Operation::log: return divide(left_slope, x);
      case Operation::sqrt: return divide(left_slope, left_slope == zero ? zero : multiply(graph.add(2.0), result));
      case Operation::minimum: return choose(subtract(y, x), left_slope, right_slope);
      case Operation::maximum: return choose(subtract(x, y), left_slope, right_slope);
      default: break;
    }
    return left_slope == zero ? zero : multiply(own_slope(node.operation, x, result), left_slope);
  }

 private:
  // left where `difference` is above zero, else right.
  constexpr short choose(short difference, short left, short right) {
    if (difference == zero || left == right) return right;
    const short selected = graph.add(Operation::step, difference);
    return add(multiply(selected, left), right == zero ? zero : multiply(one_minus(selected), right));
  }
  // f'(x) of a function of one operand, where f(x) stands at `result`.
  constexpr short own_slope(Operation function, short x, short result) {
    switch (function) {
      case Operation::exp: return result;
      case Operation::sigmoid: return multiply(result, one_minus(result));
      case Operation::log_sigmoid: return graph.add(Operation::sigmoid, negate(x));
      case Operation::softplus: return graph.add(Operation::sigmoid, x);
      case Operation::tanh: return one_minus(graph.add(Operation::square, result));
      case Operation::silu: {
        const short gate = graph.add(Operation::sigmoid, x);
        return add(gate, multiply(result, one_minus(gate)));
      }
      case Operation::relu: return graph.add(Operation::step, x);
      case Operation::square: return multiply(graph.add(2.0), x);
      default: return zero;  // step
    }
  }
};

}  // namespace derivative

// `variable` is one leaf, such as input("x") or decay(); axes do not matter.
constexpr Expression differentiate(const Expression& expression, const Expression& variable) {
  if (variable.size != 1 || variable.root().operation == Operation::constant)
    refuse("a derivative is with respect to one leaf, such as input(\"x\")", Described{"an expression"}, "one leaf");
  if (expression.empty()) return 0;
  const Node& wanted = variable.root();
  derivative::Simplifier simplifier;
  std::array<short, max_nodes> moved{}, slopes{};
  std::size_t i = 0;
  for (Node node : expression) {
    const auto slope_of = [&](short operand) {
      return operand < 0 ? derivative::zero : slopes[static_cast<std::size_t>(operand)];
    };
    const short left_slope = slope_of(node.left), right_slope = slope_of(node.right);
    if (node.left >= 0) node.left = moved[static_cast<std::size_t>(node.left)];
    if (node.right >= 0) node.right = moved[static_cast<std::size_t>(node.right)];
    moved[i] = simplifier.graph.add(node);
    const bool is_variable = node.operation == wanted.operation && node.name == wanted.name;
    slopes[i] = operand_count(node.operation) > 0 ? simplifier.slope(node, moved[i], left_slope, right_slope)
                : is_variable                     ? simplifier.graph.add(1.0)
                                                  : derivative::zero;
    ++i;
  }
  return slopes[i - 1] == derivative::zero ? Expression(0) : simplifier.graph.take(slopes[i - 1]);
}

}  // namespace rankone

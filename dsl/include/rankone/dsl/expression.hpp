// SPDX-License-Identifier: MIT
// Elementwise formulas over token inputs and parameters, as a small graph in a fixed-size array.
#pragma once

#include <array>

#include <rankone/dsl/name.hpp>

namespace rankone {

enum class Operation : unsigned char {
  constant,   // value
  input,      // a token input, by name
  parameter,  // a learned parameter, by name
  scalar,     // a named run-time scalar
  element,    // the argument of a feature map
  key,        // the key tensor k, in a key expression
  decay,      // exp(log-decay) of the token, in a key expression
  head,       // index of the value head
  heads,      // number of value heads
  position,   // index of the token in its sequence
  // One operand, left.
  negate,
  exp,
  log,
  sigmoid,
  log_sigmoid,
  softplus,
  tanh,
  silu,
  relu,
  sqrt,
  square,
  step,  // 1 above zero, else 0: the slope of relu
  // Two operands, left and right.
  add,
  subtract,
  multiply,
  divide,
  minimum,
  maximum
};

// Which dimensions a tensor of the expression runs over; `automatic` takes those of the gate it stands in.
// A token input always has [B, T] in front, and `token` is of gates alone; `head` stands for the key heads H, `value_head` for HV.
struct Axes {
  static constexpr unsigned char head = 1, value_head = 2, key = 4, value = 8, token = 16, automatic = 128;
  unsigned char bits = automatic;

  constexpr bool has(unsigned char axis) const { return (bits & axis) != 0; }
  friend constexpr bool operator==(Axes, Axes) = default;
  friend constexpr Axes operator|(Axes a, Axes b) { return {static_cast<unsigned char>(a.bits | b.bits)}; }
};
inline constexpr Axes head_axis{Axes::head}, value_head_axis{Axes::value_head}, key_axis{Axes::key};

struct Node {
  Operation operation = Operation::constant;
  short left = -1, right = -1;  // indices of earlier nodes
  double value = 0;             // of a constant
  Name name{};                  // of an input, parameter or scalar
  Axes axes{};                  // of an input or parameter
  friend constexpr bool operator==(const Node&, const Node&) = default;
};

inline constexpr int max_nodes = 64;

// Nodes stand in evaluation order; the last one is the result. `size == 0` means "not given".
struct Expression {
  std::array<Node, max_nodes> nodes{};
  int size = 0;

  constexpr Expression() = default;
  // Implicit, so that numbers mix with expressions.
  constexpr Expression(double constant) : size(1) { nodes[0].value = constant; }

  constexpr bool empty() const { return size == 0; }
  constexpr const Node& root() const { return nodes[static_cast<std::size_t>(size - 1)]; }
  constexpr const Node* begin() const { return nodes.data(); }
  constexpr const Node* end() const { return nodes.data() + size; }
};

constexpr bool reads(const Expression& expression, Operation leaf) {
  for (const Node& node : expression)
    if (node.operation == leaf) return true;
  return false;
}

// The same graph, node for node.
constexpr bool operator==(const Expression& a, const Expression& b) {
  if (a.size != b.size) return false;
  for (std::size_t i = 0; i < static_cast<std::size_t>(a.size); ++i)
    if (a.nodes[i] != b.nodes[i]) return false;
  return true;
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// One step of a formula: a leaf, or an operation on earlier steps.
#pragma once

#include <rankone/dsl/axes.hpp>
#include <rankone/dsl/name.hpp>
#include <rankone/dsl/operations.hpp>

namespace rankone {

// Names stand beside the nodes, so that a node is small.
struct Node {
  Operation operation = Operation::constant;
  Axes axes{};                             // of an input or parameter
  short left = -1, right = -1, name = -1;  // indices of earlier nodes, and of the name of an input, parameter or scalar
  double value = 0;                        // of a constant
  friend constexpr bool operator==(const Node&, const Node&) = default;
};

// A node without operands, by itself.
struct Leaf {
  Operation operation = Operation::constant;
  Name name{};  // of an input, parameter or scalar
  Axes axes{};  // of an input or parameter
  double value = 0;

  constexpr std::string_view view() const { return name.view(); }
  friend constexpr bool operator==(const Leaf&, const Leaf&) = default;
};

}  // namespace rankone

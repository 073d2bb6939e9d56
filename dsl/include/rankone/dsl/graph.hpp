// SPDX-License-Identifier: MIT
// Growing an expression node by node; equal nodes are shared.
#pragma once

#include <array>

#include <rankone/dsl/operations.hpp>

namespace rankone {

// `capacity` may exceed that of an Expression while a graph is being worked on.
template <int capacity = max_nodes> class Graph {
 public:
  constexpr int size() const { return size_; }
  constexpr const Node& operator[](int index) const { return nodes_[static_cast<std::size_t>(index)]; }

  // The index of this node, new or shared.
  constexpr short add(const Node& node) {
    for (int i = 0; i < size_; ++i)
      if (nodes_[static_cast<std::size_t>(i)] == node) return static_cast<short>(i);
    if (size_ == capacity) refuse("an expression has at most 64 nodes", Described{"more"}, "at most 64");
    nodes_[static_cast<std::size_t>(size_)] = node;
    return static_cast<short>(size_++);
  }
  constexpr short add(Operation operation, short left = -1, short right = -1) {
    return add(Node{.operation = operation, .left = left, .right = right});
  }
  constexpr short add(double constant) { return add(Node{.value = constant}); }

  // All of an expression; returns the index of its result.
  constexpr short add(const Expression& expression) {
    std::array<short, max_nodes> moved{};
    if (expression.empty())
      refuse("an operand is an expression that is not empty", Described{"an empty one"}, "a formula");
    for (int i = 0; i < expression.size; ++i) {
      Node node = expression.nodes[static_cast<std::size_t>(i)];
      if (node.left >= 0) node.left = moved[static_cast<std::size_t>(node.left)];
      if (node.right >= 0) node.right = moved[static_cast<std::size_t>(node.right)];
      moved[static_cast<std::size_t>(i)] = add(node);
    }
    return moved[static_cast<std::size_t>(expression.size - 1)];
  }

  // What `root` needs, in order, and nothing else.
  constexpr Expression take(short root) const {
    std::array<bool, capacity> needed{};
    needed[static_cast<std::size_t>(root)] = true;
    for (int i = root; i >= 0; --i) {
      if (!needed[static_cast<std::size_t>(i)]) continue;
      if ((*this)[i].left >= 0) needed[static_cast<std::size_t>((*this)[i].left)] = true;
      if ((*this)[i].right >= 0) needed[static_cast<std::size_t>((*this)[i].right)] = true;
    }
    std::array<short, capacity> moved{};
    Expression result;
    for (int i = 0; i <= root; ++i) {
      if (!needed[static_cast<std::size_t>(i)]) continue;
      if (result.size == max_nodes) refuse("an expression has at most 64 nodes", Described{"more"}, "at most 64");
      Node node = (*this)[i];
      if (node.left >= 0) node.left = moved[static_cast<std::size_t>(node.left)];
      if (node.right >= 0) node.right = moved[static_cast<std::size_t>(node.right)];
      moved[static_cast<std::size_t>(i)] = static_cast<short>(result.size);
      result.nodes[static_cast<std::size_t>(result.size++)] = node;
    }
    return result;
  }

 private:
  std::array<Node, capacity> nodes_{};
  int size_ = 0;
};

}  // namespace rankone

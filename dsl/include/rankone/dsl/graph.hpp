// SPDX-License-Identifier: MIT
// Formulas as a list of nodes in evaluation order; equal nodes are one node.
#pragma once

#include <array>

#include <rankone/dsl/node.hpp>

namespace rankone {

// Of a declaration, all formulas together; far more than any known gate needs.
inline constexpr int max_nodes = 256, max_names = 32;

// What a function needs of a list, whatever its capacity.
struct Nodes {
  const Node* first = nullptr;
  const Name* names = nullptr;
  int size = 0;

  constexpr const Node* begin() const { return first; }
  constexpr const Node* end() const { return first + size; }
  constexpr const Node& operator[](int index) const { return first[index]; }
  constexpr Leaf leaf(const Node& node) const {
    return {node.operation, node.name < 0 ? Name{} : names[node.name], node.axes, node.value};
  }
};

template <int capacity> struct Graph {
  Node nodes[capacity]{};
  Name names[max_names]{};
  int size = 0, name_count = 0;

  constexpr operator Nodes() const { return {nodes, names, size}; }
  constexpr const Node* begin() const { return nodes; }
  constexpr const Node* end() const { return nodes + size; }
  constexpr const Node& operator[](int index) const { return nodes[index]; }
  constexpr bool empty() const { return size == 0; }
  constexpr Leaf leaf(const Node& node) const { return Nodes(*this).leaf(node); }

  // The index of this node, new or shared.
  constexpr short add(const Node& node) { return add(node, size); }
  constexpr short add(Operation operation, short left, short right = -1) {
    return add(Node{.operation = operation, .left = left, .right = right});
  }
  constexpr short add(double constant) { return add(Node{.value = constant}); }
  constexpr short add(const Leaf& leaf) {
    Node node{.operation = leaf.operation, .axes = leaf.axes, .value = leaf.value};
    if (!leaf.name.empty()) node.name = name_index(leaf.name);
    return add(node);
  }
  // For a node that cannot stand here yet.
  constexpr short append(const Node& node) {
    if (size == capacity) refuse<"a declaration has at most 256 different nodes", "up to 256">(Described{"more"});
    nodes[size] = node;
    return static_cast<short>(size++);
  }

  // What `root` of another list needs: operands first, the left one before the right one. Returns where it stands now.
  template <int most> constexpr short add(const Graph<most>& source, int root) {
    short moved[most], waiting[most];  // of which the first root + 1 are used: operands stand before what needs them
    for (int i = 0; i <= root; ++i) moved[i] = -1;
    const int known = size;  // those of one list differ among themselves
    int depth = 0;
    waiting[0] = static_cast<short>(root);
    while (depth >= 0) {
      const short at = waiting[depth];
      Node node = source[at];
      if (node.left >= at || node.right >= at || node.name >= max_names)
        refuse<"an operation has all of its operands, and they stand before it", "earlier nodes">(at);
      const auto is_missing = [&](short operand) { return operand >= 0 && moved[operand] < 0; };
      if (is_missing(node.left) || is_missing(node.right)) {
        waiting[++depth] = is_missing(node.left) ? node.left : node.right;
        continue;
      }
      --depth;
      if (node.left >= 0) node.left = moved[node.left];
      if (node.right >= 0) node.right = moved[node.right];
      if (node.name >= 0) node.name = name_index(source.names[node.name]);
      // Lists of a common origin agree where they begin.
      short& place = moved[at];
      place = at < size && nodes[at] == node ? at : add(node, known);
    }
    return moved[root];
  }

 private:
  constexpr short add(const Node& node, int known) {
    for (int i = 0; i < known; ++i)
      if (nodes[i] == node) return static_cast<short>(i);
    return append(node);
  }
  constexpr short name_index(const Name& name) {
    for (int i = 0; i < name_count; ++i)
      if (names[i] == name) return static_cast<short>(i);
    if (name_count == max_names) refuse<"a declaration has at most 32 names", "up to 32">(name.view());
    names[name_count] = name;
    return static_cast<short>(name_count++);
  }
};

}  // namespace rankone

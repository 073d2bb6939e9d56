// SPDX-License-Identifier: MIT
// Lists of nodes as infix text, with no more parentheses than they need, in a style: descriptions, formulas, captions,
// LaTeX and CUDA share it.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rankone/dsl/graph.hpp>
#include <rankone/dsl/operations.hpp>

namespace rankone {

enum class Precedence : unsigned char { sum = 1, product = 2, factor = 3, atom = 4 };

// What stands around a text, as parentheses do.
struct Fence {
  std::string_view open = "(", close = ")";
  bool of_signs =
      false;  // parentheses: also around what begins with a minus sign, where that could follow another sign

  std::string around(std::string_view text) const { return std::string(open).append(text).append(close); }
};

struct Infix {
  std::string text;
  Precedence precedence = Precedence::atom;
  std::string within(Precedence least, const Fence& parentheses = {}) const {
    const bool is_signed = parentheses.of_signs && text.starts_with('-');
    return precedence >= least && !is_signed ? text : parentheses.around(text);
  }
};

struct InfixStyle {
  std::function<Infix(const Leaf&)> leaf;
  std::function<std::string(Operation)> function;  // name of a function
  // How it writes an operation in a way of its own; an empty text: as all do.
  std::function<Infix(Operation, const Infix& left, const Infix& right)> own{};
  Fence parentheses{};
  std::string_view times = " * ";
  // Division by a power of two is a product, other divisions are calls, and a tensor that is read twice gets a name.
  bool cuda = false;
  // Whether a node is a slope that may be zero beside something infinite: products with it are calls then.
  std::function<bool(int)> may_vanish{};
};

// What stands more than once, under names of its own: t1, t2, ...
struct Bindings {
  std::vector<std::pair<std::string, std::string>> list{};  // name and text, in the order of use
  std::vector<std::string> taken{};
  Fence number{"t", ""};  // such a name is a number within
  int last = 0;

  void avoid(Nodes nodes) {
    for (const Node& node : nodes)
      if (node.name >= 0) taken.emplace_back(nodes.leaf(node).view());
  }
  std::string bind(std::string text) {
    for (;;) {
      std::string name = number.around(std::to_string(++last));
      if (std::find(taken.begin(), taken.end(), name) != taken.end()) continue;
      list.emplace_back(name, std::move(text));
      return name;
    }
  }
};

class InfixWriter {
 public:
  InfixWriter(Nodes nodes, const InfixStyle& style, Bindings& bindings)
      : nodes_(nodes), style_(style), bindings_(bindings), uses_(index(nodes.size)), texts_(index(nodes.size)) {
    bindings_.avoid(nodes);
  }

  // The results that stand at `roots`, together: what they share is bound once.
  std::vector<Infix> write(const std::vector<int>& roots) {
    for (const int root : roots) ++uses_[index(root)];
    for (int i = nodes_.size - 1; i >= 0; --i)
      if (uses_[index(i)] > 0)
        for (const int operand : {nodes_[i].left, nodes_[i].right})
          if (operand >= 0) ++uses_[index(operand)];
    for (int i = 0; i < nodes_.size; ++i) {
      if (uses_[index(i)] == 0) continue;
      texts_[index(i)] = text(nodes_[i]);
      if (is_bound(i)) texts_[index(i)] = {bindings_.bind(std::move(texts_[index(i)].text))};
    }
    std::vector<Infix> results;
    for (const int root : roots) results.push_back(texts_[index(root)]);
    return results;
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  const Infix& operand(int i) const { return texts_[index(i)]; }

  bool is_bound(int i) const {
    const Operation operation = nodes_[i].operation;
    if (uses_[index(i)] < 2) return false;
    if (operand_count(operation) > 0) return true;
    return style_.cuda && (operation == Operation::input || operation == Operation::parameter);
  }

  Infix text(const Node& n) const {
    if (operand_count(n.operation) == 0) return leaf(nodes_.leaf(n));
    const Infix& left = operand(n.left);
    if (style_.own)
      if (Infix own = style_.own(n.operation, left, n.right < 0 ? Infix{} : operand(n.right)); !own.text.empty())
        return own;
    switch (n.operation) {
      case Operation::negate: {
        // "-2" is a constant and "--x" a decrement: both need parentheses here.
        const bool bare = left.precedence == Precedence::atom && nodes_[n.left].operation != Operation::constant;
        return {bare ? "-" + left.text : "-(" + left.text + ")", Precedence::factor};
      }
      case Operation::add: return infix(n, " + ", Precedence::sum);
      case Operation::subtract: return infix(n, " - ", Precedence::sum);
      case Operation::multiply:
        if (vanishes(n.left) || vanishes(n.right)) return product_of_slope(n);
        return infix(n, style_.times, Precedence::product);
      case Operation::divide: return quotient(n);
      case Operation::step:
        if (style_.cuda) return {"(" + left.text + " > 0.0f ? 1.0f : 0.0f)"};
        break;
      default: break;
    }
    return {style_.function(n.operation) + style_.parentheses.around(operands_of(n))};
  }
  // Those of a concatenation that another one begins with stand before its own.
  std::string operands_of(const Node& n) const {
    const bool begins =
        n.operation == Operation::concatenate && nodes_[n.left].operation == n.operation && !is_bound(n.left);
    const std::string first = begins ? operands_of(nodes_[n.left]) : operand(n.left).text;
    return operand_count(n.operation) == 2 ? first + ", " + operand(n.right).text : first;
  }

  Infix leaf(const Leaf& leaf) const {
    Infix written = style_.leaf(leaf);
    if (leaf.operation == Operation::constant && std::signbit(leaf.value)) written.precedence = Precedence::factor;
    return written;
  }

  Infix infix(const Node& n, std::string_view sign, Precedence own) const {
    const auto above = static_cast<Precedence>(static_cast<int>(own) + 1);
    const Fence first{style_.parentheses.open, style_.parentheses.close};  // no sign stands before it
    return {operand(n.left).within(own, first).append(sign) + operand(n.right).within(above, style_.parentheses), own};
  }

  bool vanishes(int node) const { return style_.may_vanish && style_.may_vanish(node); }
  Infix product_of_slope(const Node& n) const {
    const bool is_left = vanishes(n.left);
    const int slope = is_left ? n.left : n.right, factor = is_left ? n.right : n.left;
    if (nodes_[factor].operation == Operation::constant) return infix(n, style_.times, Precedence::product);
    return {"slope_times(" + operand(slope).text + ", " + operand(factor).text + ")"};
  }

  Infix quotient(const Node& n) const {
    if (!style_.cuda) return infix(n, " / ", Precedence::product);
    const Node& divisor = nodes_[n.right];
    int exponent = 0;
    if (divisor.operation == Operation::constant && std::abs(std::frexp(divisor.value, &exponent)) == 0.5 &&
        std::abs(exponent) < 100)
      return {operand(n.left).within(Precedence::product) + " * " + style_.leaf({.value = 1 / divisor.value}).text,
              Precedence::product};
    const bool is_slope = vanishes(n.left) && divisor.operation != Operation::constant;
    return {(is_slope ? "slope_over(" : "divide(") + operand(n.left).text + ", " + operand(n.right).text + ")"};
  }

  Nodes nodes_;
  const InfixStyle& style_;
  Bindings& bindings_;
  std::vector<int> uses_;
  std::vector<Infix> texts_;
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The gradients of formulas with respect to all of their leaves, by one reverse sweep over the nodes.
#pragma once

#include <algorithm>
#include <array>

#include <rankone/dsl/simplifier.hpp>

namespace rankone {

// Where a slope jumps, the convention is: relu and step have slope 0 at 0, at a tie min and max follow their right
// operand (so max(x, 0) is relu(x)), and keys that share a maximum share its slope.
namespace reverse {

// Goes through the nodes of a list from its last one to its first. Each passes the slope of the result with respect to it
// on to its operands once, when all that read it have added theirs. The list grows by what the slopes need.
class Sweep {
 public:
  // The nodes keep their places.
  template <int most> constexpr explicit Sweep(const Graph<most>& formulas) : size_(formulas.size) {
    slopes_.fill(zero);
    std::copy(formulas.names, formulas.names + formulas.name_count, result_.graph.names);
    result_.graph.name_count = formulas.name_count;
    for (const Node& node : formulas) result_.graph.append(node);
  }

  constexpr short constant(double value) { return result_.graph.add(value); }
  constexpr short leaf(const Leaf& leaf) { return result_.graph.add(leaf); }
  // The result of a formula stands at `node`; `slope`, a node, too, is what comes in there. Before run().
  constexpr void seed(short node, short slope) { pass(node, slope); }

  constexpr void run() {
    for (int i = size_ - 1; i >= 0; --i) {
      const Node node = result_.graph[i];
      if (slope(i) != zero && operand_count(node.operation) > 0) pass_on(node, static_cast<short>(i), slope(i));
    }
  }
  constexpr short slope(int node) const { return slopes_[static_cast<std::size_t>(node)]; }
  constexpr short sum(short a, short b) { return result_.add(a, b); }
  constexpr const Graph<max_swept>& graph() const { return result_.graph; }

 private:
  constexpr void pass(short to, short slope) {
    short& known = slopes_[static_cast<std::size_t>(to)];
    known = result_.add(known, slope);
  }

  // `result` is where the node stands.
  constexpr void pass_on(const Node& node, short result, short slope) {
    const short x = node.left, y = node.right;
    Simplifier& r = result_;
    switch (node.operation) {
      case Operation::negate: return pass(x, r.negate(slope));
      case Operation::concatenate:
      case Operation::add: return pass(x, slope), pass(y, slope);
      case Operation::subtract: return pass(x, slope), pass(y, r.negate(slope));
      case Operation::multiply: return pass(x, r.multiply(slope, y)), pass(y, r.multiply(slope, x));
      case Operation::divide: {
        const short share = r.divide(slope, y);
        return pass(x, share), pass(y, r.negate(r.multiply(share, result)));
      }
      case Operation::log: return pass(x, r.divide(slope, x));
      case Operation::sqrt: return pass(x, r.divide(slope, r.multiply(r.graph.add(2.0), result)));
      case Operation::key_sum: return pass(x, r.graph.add(Operation::key_sum, slope));
      case Operation::key_max: {  // shared by all keys that have it
        const short below = r.graph.add(Operation::step, r.graph.add(Operation::subtract, result, x)),
                    is_largest = r.one_minus(below),
                    share =
                        r.divide(r.graph.add(Operation::key_sum, slope), r.graph.add(Operation::key_sum, is_largest));
        return pass(x, r.multiply(is_largest, share));
      }
      case Operation::minimum: return choose(r.subtract(y, x), x, y, slope);
      case Operation::maximum: return choose(r.subtract(x, y), x, y, slope);
      default: return pass(x, r.multiply(own_slope(node.operation, x, result), slope));
    }
  }
  // To `left` where `difference` is above zero, else to `right`.
  constexpr void choose(short difference, short left, short right, short slope) {
    if (difference == zero) return pass(right, slope);
    const short selected = result_.graph.add(Operation::step, difference);
    pass(left, result_.multiply(selected, slope));
    pass(right, result_.multiply(result_.one_minus(selected), slope));
  }
  // f'(x) of a function of one operand, where f(x) stands at `result`.
  constexpr short own_slope(Operation function, short x, short result) {
    Simplifier& r = result_;
    switch (function) {
      case Operation::exp: return result;
      case Operation::sigmoid: return r.multiply(result, r.one_minus(result));
      case Operation::log_sigmoid: return r.graph.add(Operation::sigmoid, r.negate(x));
      case Operation::softplus: return r.graph.add(Operation::sigmoid, x);
      case Operation::tanh: return r.one_minus(r.graph.add(Operation::square, result));
      case Operation::sin: return r.graph.add(Operation::cos, x);
      case Operation::cos: return r.negate(r.graph.add(Operation::sin, x));
      case Operation::silu: {
        // Far above 0 the second term vanishes: a finite factor keeps it from being infinity times zero.
        const short gate = r.graph.add(Operation::sigmoid, x), most = r.graph.add(1e30);
        return r.add(gate, r.multiply(r.graph.add(Operation::minimum, result, most), r.one_minus(gate)));
      }
      case Operation::relu: return r.graph.add(Operation::step, x);
      case Operation::square: return r.multiply(r.graph.add(2.0), x);
      default: return zero;  // step
    }
  }

  Simplifier result_{};
  std::array<short, max_nodes> slopes_{};
  int size_ = 0;
};

}  // namespace reverse

// Of one formula. `graph` begins with its nodes; what follows are the slopes, each after all that it reads.
struct Gradients {
  struct Entry {
    Leaf leaf{};
    short node = reverse::zero;  // below 0: the gradient vanishes
    constexpr bool is_of(Operation operation, const Name& name) const {
      return leaf.operation == operation && leaf.name == name;
    }
  };

  Graph<reverse::max_swept> graph{};
  std::array<Entry, 3 * max_names + 8> entries{};  // one for each leaf but numbers, whatever its axes
  int size = 0;

  constexpr const Entry* begin() const { return entries.data(); }
  constexpr const Entry* end() const { return entries.data() + size; }
  // Null where the formula does not read this leaf.
  constexpr const Entry* find(Operation leaf, const Name& name = {}) const {
    for (const Entry& entry : *this)
      if (entry.is_of(leaf, name)) return &entry;
    return nullptr;
  }
};

// `slope`: what the result's is; by itself, 1.
constexpr Gradients gradients(const Expression& formula, const Leaf& slope = {.value = 1}) {
  Gradients result;
  if (formula.empty()) return result;
  reverse::Sweep sweep(formula);
  sweep.seed(static_cast<short>(formula.size - 1), sweep.leaf(slope));
  sweep.run();
  for (int i = 0; i < formula.size; ++i) {
    const Node& node = formula[i];
    if (operand_count(node.operation) > 0 || node.operation == Operation::constant) continue;
    const Leaf leaf = formula.leaf(node);
    int at = 0;
    const auto entry_at = [&](int index) -> Gradients::Entry& {
      return result.entries[static_cast<std::size_t>(index)];
    };
    while (at < result.size && !entry_at(at).is_of(leaf.operation, leaf.name)) ++at;
    Gradients::Entry& entry = entry_at(at);
    if (at == result.size) ++result.size, entry.leaf = leaf;
    entry.node = sweep.sum(entry.node, sweep.slope(i));
  }
  result.graph = sweep.graph();
  return result;
}

}  // namespace rankone

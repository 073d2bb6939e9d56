// SPDX-License-Identifier: MIT
// The formulas of a variant and their gradients, elementwise, as text in a notation.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <rankone/dsl/describe.hpp>
#include <rankone/dsl/gradients.hpp>

namespace rankone {

// A formula, and d formula / d input for each tensor that it reads. `shared` is what stands in the formula more than once,
// or in the gradients, by name; an entry's `whole` text begins with what it needs of that.
struct GateGradients {
  struct Entry {
    Leaf leaf{};
    std::string gradient{}, whole{};
  };
  std::string gate{};
  bool reduces_keys = false;  // then the gradients are those of the sum over all keys
  std::string formula{};
  std::vector<std::pair<std::string, std::string>> shared{};
  std::vector<Entry> entries{};
};

// Plain text that names q, k, v and what follows from them as the recurrence does: a formula may be called `value`, too.
inline Notation formula_notation() {
  Notation words;
  words.style.leaf = [words = Notation()](const Leaf& leaf) {
    switch (leaf.operation) {
      case Operation::query: return Infix{std::string(words.query)};
      case Operation::key: return Infix{std::string(words.key)};
      case Operation::value: return Infix{std::string(words.value)};
      case Operation::decay: return Infix{std::string(words.decay)};
      case Operation::read: return Infix{std::string(words.read)};
      case Operation::normaliser: return Infix{std::string(words.normaliser)};
      case Operation::unit: return Infix{std::string(words.unit)};
      case Operation::passed: return Infix{std::string(words.passed)};
      case Operation::scanned: return Infix{std::string(words.scan.behind_token)};
      case Operation::scanned_before: return Infix{std::string(words.scan.before)};
      default: return description::bare_leaf(leaf);
    }
  };
  return words;
}

// Of a formula, where those of a variant are listed: either pass of a chain may have one of the name.
inline std::string gate_name(const Slot& slot) {
  return (slot.stage == Stage::second ? "second_" : "") + std::string(slot.name);
}

// Of each formula that reads a tensor.
inline std::vector<GateGradients> gate_gradients(const Variant& variant,
                                                 const Notation& notation = formula_notation()) {
  std::vector<GateGradients> all;
  InfixStyle style = notation.style;
  if (variant.reversed_)  // "before" is where the walk has been
    style.leaf = [&](const Leaf& leaf) {
      return leaf.operation == Operation::scanned_before ? Infix{std::string(notation.scan.before_reversed)}
                                                         : notation.style.leaf(leaf);
    };
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    const Gradients gradients = rankone::gradients(formula);
    GateGradients gate{.gate = gate_name(slot)};
    for (const Node& node : formula) gate.reduces_keys |= rankone::reduces_keys(node.operation);
    std::vector<int> roots;
    for (const auto& [leaf, node] : gradients) {
      if (node < 0 || !is_tensor(leaf.operation)) continue;
      roots.push_back(node);
      gate.entries.push_back({leaf, {}, to_string(gradients.graph, node, style)});
    }
    if (roots.empty()) return;
    Bindings bindings{.number = notation.shared_number};
    gate.formula = InfixWriter(formula, style, bindings).write({formula.size - 1}).front().text;
    const std::vector<Infix> texts = InfixWriter(gradients.graph, style, bindings).write(roots);
    for (std::size_t i = 0; i < texts.size(); ++i) gate.entries[i].gradient = texts[i].text;
    gate.shared = std::move(bindings.list);
    all.push_back(std::move(gate));
  });
  return all;
}

}  // namespace rankone

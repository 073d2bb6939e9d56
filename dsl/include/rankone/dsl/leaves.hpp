// SPDX-License-Identifier: MIT
// What a variant reads besides q, k and v: its token inputs, parameters and scalars, in the order of first use.
#pragma once

#include <array>
#include <string_view>

#include <rankone/dsl/variant.hpp>

namespace rankone {

// Their axes are resolved: never automatic, and of no meaning for a scalar.
struct Leaves {
  std::array<Leaf, max_names> items{};
  int size = 0;

  constexpr const Leaf* begin() const { return items.data(); }
  constexpr const Leaf* end() const { return items.data() + size; }
  constexpr bool empty() const { return size == 0; }
  constexpr const Leaf& operator[](int index) const { return items[static_cast<std::size_t>(index)]; }
  // Where `name` stands, or -1.
  constexpr int index_of(std::string_view name) const {
    for (int i = 0; i < size; ++i)
      if ((*this)[i].view() == name) return i;
    return -1;
  }
  constexpr void add(const Leaf& leaf) {
    if (index_of(leaf.view()) < 0) items[static_cast<std::size_t>(size++)] = leaf;
  }
};

// The axes of a tensor in a formula: those it was given, or else those of the formula, to which [B, T] are no news.
constexpr Axes resolve(Axes axes, Axes domain) {
  return axes.has(Axes::automatic) ? domain.without(Axes::token) : axes;
}

// A formula whose tensors keep the axes that they would have in this domain, wherever it stands.
constexpr Expression settle(Expression formula, Axes domain) {
  for (int i = 0; i < formula.size; ++i)
    if (is_tensor(formula.nodes[i].operation)) formula.nodes[i].axes = resolve(formula.nodes[i].axes, domain);
  return formula;
}

constexpr Leaves leaves_of(const Variant& variant, Operation kind) {
  Leaves leaves;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    for (const Node& node : formula) {
      if (node.operation != kind) continue;
      Leaf leaf = formula.leaf(node);
      leaf.axes = resolve(leaf.axes, slot.domain);
      leaves.add(leaf);
    }
  });
  return leaves;
}
constexpr Leaves inputs_of(const Variant& variant) { return leaves_of(variant, Operation::input); }
constexpr Leaves parameters_of(const Variant& variant) { return leaves_of(variant, Operation::parameter); }
constexpr Leaves scalars_of(const Variant& variant) { return leaves_of(variant, Operation::scalar); }

// Whether a token has this input for each of its steps.
constexpr bool is_of_steps(const Variant& variant, std::string_view input) {
  if (variant.steps_ == 1) return false;
  bool found = false;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    for (const Node& node : formula)
      found |= slot.of_steps && node.operation == Operation::input && formula.leaf(node).view() == input;
  });
  return found;
}

constexpr bool any_reads(const Variant& variant, Operation leaf) {
  bool found = false;
  for_each_formula(variant, [&](const Slot&, const Expression& formula) { found |= reads(formula, leaf); });
  return found;
}
// False where no formula that there is uses the tensor k; and the tensor q.
constexpr bool reads_key(const Variant& variant) {
  return !variant.has(Formula::key) || any_reads(variant, Operation::key);
}
constexpr bool reads_query(const Variant& variant) {
  return !variant.has(Formula::query) || any_reads(variant, Operation::query);
}

// Whether a tensor says how many keys there are: q, k, or one that formulas read at each key.
constexpr bool has_tensor_of_keys(const Variant& variant) {
  if (reads_query(variant) || reads_key(variant)) return true;
  for (const Leaves& leaves : {inputs_of(variant), parameters_of(variant)})
    for (const Leaf& leaf : leaves)
      if (leaf.axes.has(Axes::key)) return true;
  return false;
}
// False of a chain's first pass, which writes slots.
constexpr bool reads_value(const Variant& variant) { return variant.stage_ != Stage::first; }

// Whether formulas of this side of a non-causal variant, that of queries or that of keys, read the token input.
constexpr bool side_reads(const Variant& variant, bool of_queries, std::string_view input) {
  bool found = false;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    for (const Node& node : formula)
      found |=
          slot.of_queries == of_queries && node.operation == Operation::input && formula.leaf(node).view() == input;
  });
  return found;
}

// Whether a formula reads the decay of its token.
constexpr bool reads_decay(const Variant& variant) { return !leaves_of(variant, Operation::decay).empty(); }

// Whether its formulas count tokens: then a call that goes on says from which.
constexpr bool reads_position(const Variant& variant) { return !leaves_of(variant, Operation::position).empty(); }

}  // namespace rankone

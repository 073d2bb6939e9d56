// SPDX-License-Identifier: MIT
// What a variant reads besides q, k and v: its token inputs, parameters and scalars, in the order of first use.
#pragma once

#include <array>
#include <string_view>

#include <rankone/dsl/variant.hpp>

namespace rankone {

struct Leaf {
  Name name{};
  Axes axes{};  // resolved: never automatic; of no meaning for a scalar
  constexpr std::string_view view() const { return name.view(); }
};

struct Leaves {
  std::array<Leaf, max_nodes> items{};
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
    if (index_of(leaf.view()) >= 0) return;
    if (size == max_nodes) refuse("a variant has at most 64 leaves of a kind", leaf.view(), "at most 64");
    items[static_cast<std::size_t>(size++)] = leaf;
  }
};

// The axes of a tensor in a formula: those it was given, or else those of the gate around it.
constexpr Axes resolve(Axes axes, bool per_key) {
  if (!axes.has(Axes::automatic)) return axes;
  return per_key ? value_head_axis | key_axis : value_head_axis;
}

constexpr bool is_per_key(const Decay& decay) { return decay.kind == DecayKind::per_key; }

constexpr Leaves leaves_of(const Variant& variant, Operation kind) {
  Leaves leaves;
  const auto collect = [&](const Expression& expression, bool per_key) {
    for (const Node& node : expression)
      if (node.operation == kind) leaves.add({node.name, resolve(node.axes, per_key)});
  };
  collect(variant.decay_.log_decay, is_per_key(variant.decay_));
  collect(variant.key_, true);
  collect(variant.write_scale_, false);
  return leaves;
}
constexpr Leaves inputs_of(const Variant& variant) { return leaves_of(variant, Operation::input); }
constexpr Leaves parameters_of(const Variant& variant) { return leaves_of(variant, Operation::parameter); }
constexpr Leaves scalars_of(const Variant& variant) { return leaves_of(variant, Operation::scalar); }

// False where the key is a formula that does not use the tensor k.
constexpr bool reads_key(const Variant& variant) { return variant.key_.empty() || reads(variant.key_, Operation::key); }

}  // namespace rankone

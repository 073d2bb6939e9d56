// SPDX-License-Identifier: MIT
// Which formulas a variant may have: the one table that says of each its name, what it runs over and what it may read.
#pragma once

#include <array>
#include <string_view>

#include <rankone/dsl/operations.hpp>

namespace rankone {

enum class Formula : unsigned char { decay, key, write_scale, feature_map };

// A set of leaf operations.
struct LeafSet {
  unsigned bits = 0;
  constexpr bool has(Operation leaf) const { return (bits >> static_cast<unsigned>(leaf) & 1) != 0; }
};
constexpr LeafSet leaf_set(std::initializer_list<Operation> several) {
  LeafSet set;
  for (const Operation each : several) set.bits |= 1u << static_cast<unsigned>(each);
  return set;
}

// One of the sets of axes that a slot gives the choice of.
struct Domain {
  std::string_view name;  // of the function that declares it, and of "kind" in JSON
  Axes axes;
  bool has_kernels = true;
};
inline constexpr std::array decay_domains{
    Domain{"constant", {Axes::value_head}},
    Domain{"per_head", {Axes::token, Axes::value_head}},
    Domain{"per_key", {Axes::token, Axes::value_head, Axes::key}},
    Domain{"per_value", {Axes::token, Axes::value_head, Axes::value}, false},
    Domain{"outer", {Axes::token, Axes::value_head, Axes::key, Axes::value}, false},
};

// What the numbers of a formula must be.
enum class Range : unsigned char {
  finite,
  at_most_zero  // and minus infinity: the logarithm of a decay
};

// Where a variant may have a formula.
struct Slot {
  Formula formula;
  std::string_view member;   // in JSON
  std::string_view name;     // of its function in emitted text, and where its gradients are listed
  std::string_view caption;  // in sentences
  Axes domain;               // what it runs over; in a traversal, of this variant
  bool has_domains;          // whether that is one of decay_domains
  LeafSet leaves;            // what it may read; what varies by token only where its domain has tokens
  std::string_view absent;   // stands for it in emitted text where there is none
  Range range = Range::finite;
  bool multiplies_write = false;  // what is written is a multiple of it
};

namespace leaf_sets {
inline constexpr LeafSet gate = [] {
  LeafSet set;
  for (const OperationTraits& each : operation_traits)
    if (each.operands == 0 && each.of_gates) set.bits |= leaf_set({each.operation}).bits;
  return set;
}();
inline constexpr LeafSet key{gate.bits | leaf_set({Operation::key, Operation::decay}).bits};
inline constexpr LeafSet elementwise = leaf_set({Operation::constant, Operation::element});
}  // namespace leaf_sets

// In the order in which a variant's inputs, parameters and scalars are counted.
inline constexpr std::array formula_slots{
    Slot{.formula = Formula::decay,
         .member = "decay",
         .name = "log_decay",
         .caption = "log-decay",
         .domain = Axes::none,
         .has_domains = true,
         .leaves = leaf_sets::gate,
         .absent = "0.0f",
         .range = Range::at_most_zero},
    Slot{.formula = Formula::key,
         .member = "key",
         .name = "key",
         .caption = "written key",
         .domain = {Axes::token, Axes::value_head, Axes::key},
         .has_domains = false,
         .leaves = leaf_sets::key,
         .absent = "at.key()",
         .multiplies_write = true},
    Slot{.formula = Formula::write_scale,
         .member = "write_scale",
         .name = "write_scale",
         .caption = "write scale",
         .domain = {Axes::token, Axes::value_head},
         .has_domains = false,
         .leaves = leaf_sets::gate,
         .absent = "1.0f",
         .multiplies_write = true},
    Slot{.formula = Formula::feature_map,
         .member = "feature_map",
         .name = "feature_map",
         .caption = "feature map of q and k",
         .domain = {Axes::token, Axes::head, Axes::key},
         .has_domains = false,
         .leaves = leaf_sets::elementwise,
         .absent = "element"},
};

constexpr bool stand_in_order() {
  for (std::size_t i = 0; i < formula_slots.size(); ++i)
    if (formula_slots[i].formula != static_cast<Formula>(i)) return false;
  return true;
}
static_assert(stand_in_order(), "one row for each formula, in the order of the enumeration");

constexpr const Slot& slot_of(Formula formula) { return formula_slots[static_cast<std::size_t>(formula)]; }

}  // namespace rankone

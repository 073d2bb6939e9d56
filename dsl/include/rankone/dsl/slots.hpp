// SPDX-License-Identifier: MIT
// Which formulas a variant may have: the one table that says of each its name, what it runs over and what it may read.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include <rankone/dsl/operations.hpp>

namespace rankone {

enum class Formula : unsigned char {
  decay,
  phase,
  query,
  key,
  value,
  write_scale,
  write_log_scale,
  write_lagged,
  erase,
  erase_read,
  erase_write,
  value_erase,
  value_erase_read,
  value_erase_write,
  bonus,
  output,
  feature_map,
  scan
};

// Which recurrence a variant is: the only one there is, or a pass of a chain.
enum class Stage : unsigned char { only, first, second };

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
};
inline constexpr std::array decay_domains{
    Domain{"constant", {Axes::value_head}},
    Domain{"per_head", {Axes::token, Axes::value_head}},
    Domain{"per_key", {Axes::token, Axes::value_head, Axes::key}},
    Domain{"per_value", {Axes::token, Axes::value_head, Axes::value}},
    Domain{"full", {Axes::token, Axes::value_head, Axes::key, Axes::value}},
};
// A phase turns rows of the state, and no value column or element by itself.
inline constexpr std::span phase_domains = std::span(decay_domains).first<3>();

// What the numbers of a formula must be.
enum class Range : unsigned char {
  finite,
  at_most_zero  // and minus infinity: the logarithm of a decay
};

// Where a variant may have a formula.
struct Slot {
  Formula formula;
  std::string_view member;    // in JSON
  std::string_view name;      // of its function in emitted text, and where its gradients are listed
  std::string_view caption;   // in sentences
  Axes domain;                // what it runs over; in a traversal, of this variant
  LeafSet leaves;             // what it may read; what varies by token only where its domain has tokens
  std::string_view absent{};  // stands for it in emitted text where there is none; empty: kernels do not ask then
  Range range = Range::finite;
  bool multiplies_write = false;      // what is written is a multiple of it
  bool of_queries = false;            // in a non-causal variant it runs over queries, else over keys
  bool of_steps = false;              // a token has one for each of its steps
  bool of_second_pass = true;         // a chain's second pass may have one of its own
  Stage stage = Stage::only;          // in a traversal, the pass that it is a formula of
  std::span<const Domain> domains{};  // of which a variant chooses what it runs over; empty: there is no choice
  constexpr bool has_domains() const { return !domains.empty(); }
};

namespace leaf_sets {
inline constexpr LeafSet gate = [] {
  LeafSet set;
  for (const OperationTraits& each : operation_traits)
    if (each.operands == 0 && each.of_gates) set.bits |= leaf_set({each.operation}).bits;
  return set;
}();
constexpr LeafSet gate_and(std::initializer_list<Operation> more) { return {gate.bits | leaf_set(more).bits}; }
inline constexpr LeafSet scanned = gate_and({Operation::scanned, Operation::scanned_before});
inline constexpr LeafSet key{scanned.bits | leaf_set({Operation::key, Operation::decay}).bits};
inline constexpr LeafSet query{key.bits | leaf_set({Operation::query}).bits};
inline constexpr LeafSet value = gate_and({Operation::value});
inline constexpr LeafSet output = gate_and({Operation::read, Operation::normaliser, Operation::unit, Operation::value});
inline constexpr LeafSet elementwise =
    leaf_set({Operation::constant, Operation::element, Operation::other, Operation::keys, Operation::scalar,
              Operation::head, Operation::heads, Operation::position});
}  // namespace leaf_sets

namespace slot_domains {
inline constexpr Axes head{Axes::token, Axes::value_head}, key = head | Axes::key, value = head | Axes::value;
}  // namespace slot_domains

// In the order in which a variant's inputs, parameters and scalars are counted.
inline constexpr std::array formula_slots{
    Slot{.formula = Formula::decay,
         .member = "decay",
         .name = "log_decay",
         .caption = "log-decay",
         .domain = Axes::none,
         .leaves = leaf_sets::scanned,
         .absent = "0.0f",
         .range = Range::at_most_zero,
         .domains = decay_domains},
    Slot{.formula = Formula::phase,
         .member = "phase",
         .name = "phase",
         .caption = "phase",
         .domain = Axes::none,
         .leaves = leaf_sets::gate,
         .domains = phase_domains},
    Slot{.formula = Formula::query,
         .member = "query",
         .name = "query",
         .caption = "query",
         .domain = slot_domains::key,
         .leaves = leaf_sets::query,
         .of_queries = true},
    Slot{.formula = Formula::key,
         .member = "key",
         .name = "key",
         .caption = "written key",
         .domain = slot_domains::key,
         .leaves = leaf_sets::key,
         .absent = "at.key()",
         .multiplies_write = true,
         .of_steps = true},
    Slot{.formula = Formula::value,
         .member = "value",
         .name = "value",
         .caption = "written value",
         .domain = slot_domains::value,
         .leaves = leaf_sets::value,
         .of_steps = true},
    Slot{.formula = Formula::write_scale,
         .member = "write_scale",
         .name = "write_scale",
         .caption = "write scale",
         .domain = slot_domains::head,
         .leaves = leaf_sets::gate,
         .absent = "1.0f",
         .multiplies_write = true,
         .of_steps = true},
    Slot{.formula = Formula::write_log_scale,
         .member = "write_log_scale",
         .name = "write_log_scale",
         .caption = "logarithm of a write scale",
         .domain = slot_domains::head,
         .leaves = leaf_sets::gate},
    Slot{.formula = Formula::write_lagged,
         .member = "write_lagged",
         .name = "lagged_scale",
         .caption = "write scale of the token before",
         .domain = slot_domains::head,
         .leaves = leaf_sets::gate},
    Slot{.formula = Formula::erase,
         .member = "erase",
         .name = "erase_scale",
         .caption = "erase scale",
         .domain = slot_domains::head,
         .leaves = leaf_sets::gate,
         .of_steps = true},
    Slot{.formula = Formula::erase_read,
         .member = "erase_read",
         .name = "erase_read",
         .caption = "key whose value is erased",
         .domain = slot_domains::key,
         .leaves = leaf_sets::key,
         .of_steps = true},
    Slot{.formula = Formula::erase_write,
         .member = "erase_write",
         .name = "erase_write",
         .caption = "key it is erased at",
         .domain = slot_domains::key,
         .leaves = leaf_sets::key,
         .of_steps = true},
    Slot{.formula = Formula::value_erase,
         .member = "value_erase",
         .name = "value_erase_scale",
         .caption = "erase scale of values",
         .domain = slot_domains::head,
         .leaves = leaf_sets::gate,
         .of_steps = true},
    Slot{.formula = Formula::value_erase_read,
         .member = "value_erase_read",
         .name = "value_erase_read",
         .caption = "value whose key is erased",
         .domain = slot_domains::value,
         .leaves = leaf_sets::value,
         .of_steps = true},
    Slot{.formula = Formula::value_erase_write,
         .member = "value_erase_write",
         .name = "value_erase_write",
         .caption = "value it is erased at",
         .domain = slot_domains::value,
         .leaves = leaf_sets::value,
         .of_steps = true},
    Slot{.formula = Formula::bonus,
         .member = "bonus",
         .name = "bonus",
         .caption = "bonus of a token's own key",
         .domain = slot_domains::key,
         .leaves = leaf_sets::scanned},
    Slot{.formula = Formula::output,
         .member = "output",
         .name = "output",
         .caption = "output",
         .domain = slot_domains::value,
         .leaves = leaf_sets::output,
         .of_queries = true},
    Slot{.formula = Formula::feature_map,
         .member = "feature_map",
         .name = "feature_map",
         .caption = "feature map of q and k",
         .domain = {Axes::token, Axes::head, Axes::key},
         .leaves = leaf_sets::elementwise,
         .absent = "element",
         .of_second_pass = false},
    Slot{.formula = Formula::scan,
         .member = "scan",
         .name = "scan_term",
         .caption = "term of the scan",
         .domain = slot_domains::key,
         .leaves = leaf_sets::gate_and({Operation::key}),
         .of_second_pass = false},
};

constexpr bool stand_in_order() {
  for (std::size_t i = 0; i < formula_slots.size(); ++i)
    if (formula_slots[i].formula != static_cast<Formula>(i)) return false;
  return true;
}
static_assert(stand_in_order(), "one row for each formula, in the order of the enumeration");

constexpr const Slot& slot_of(Formula formula) { return formula_slots[static_cast<std::size_t>(formula)]; }

// What the pass of a chain itself has where the chain has slots.
constexpr Axes axes_in(Stage stage, Axes axes) {
  if (axes.has(Axes::automatic) || !axes.has(Axes::slot)) return axes;
  return axes.without(Axes::slot) | (stage == Stage::first ? Axes::value : Axes::key);
}

// A slot of a chain's pass. The first has no v and the second neither q nor k, and a scan is of the slots between them,
// which are the value columns of the first and the keys of the second.
constexpr Slot slot_in(Stage stage, Slot slot, Axes domain) {
  slot.stage = stage, slot.domain = domain;
  const auto take = [&](std::initializer_list<Operation> leaves) { slot.leaves.bits &= ~leaf_set(leaves).bits; };
  if (stage == Stage::first) {
    const bool is_of_slots = domain.has(Axes::value) && !domain.has(Axes::key);
    take({Operation::value, Operation::scanned, Operation::scanned_before});
    if (is_of_slots && slot.formula != Formula::output && slot.formula != Formula::scan)
      slot.leaves.bits |= leaf_sets::scanned.bits;
  }
  if (stage == Stage::first && slot.formula == Formula::scan) take({Operation::key});
  if (stage == Stage::second) take({Operation::query, Operation::key});
  if (stage == Stage::second && slot.formula == Formula::query) slot.leaves.bits |= leaf_set({Operation::passed}).bits;
  return slot;
}

}  // namespace rankone

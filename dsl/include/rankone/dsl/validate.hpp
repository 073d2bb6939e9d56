// SPDX-License-Identifier: MIT
// Whether a variant has a meaning: one function for the compiler, JSON and the command line.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/chain.hpp>
#include <rankone/dsl/degrees.hpp>
#include <rankone/dsl/evaluate.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/parts.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

// As many as a launch can pass.
inline constexpr int max_steps = 8;
inline constexpr int max_variant_inputs = 6, max_variant_parameters = 8, max_variant_scalars = 8;

// The literal twice: GCC prints it in the name of the function that is no constant expression, Clang as an argument.
#define RANKONE_REFUSED(sentence, accepted, ...) (Verdict{refuse<sentence, accepted>, sentence, __VA_ARGS__})

namespace validation {

// Nodes that data can hold, though no declaration makes them.
constexpr Verdict check_nodes(const Variant& variant) {
  const auto& nodes = variant.nodes;
  if (nodes.size < 0 || nodes.size > max_nodes || nodes.name_count < 0 || nodes.name_count > max_names)
    return RANKONE_REFUSED("a declaration has at most 256 different nodes", "up to 256", nodes.size);
  for (int i = 0; i < nodes.size; ++i) {
    const Node& node = nodes[i];
    if (!is_known(node.operation))
      return RANKONE_REFUSED("an operation is one that the enumeration lists", "a known one",
                             static_cast<int>(node.operation));
    const int operands = operand_count(node.operation);
    const auto fits = [](short index, bool wanted, int end) {
      return wanted ? index >= 0 && index < end : index == -1;
    };
    if (!fits(node.left, operands >= 1, i) || !fits(node.right, operands == 2, i))
      return RANKONE_REFUSED("an operation has all of its operands, and they stand before it", "earlier nodes",
                             name_of(node.operation));
    if (!fits(node.name, is_named(node.operation), nodes.name_count))
      return RANKONE_REFUSED("inputs, parameters and scalars have a name, and nothing else has",
                             "a name of the declaration", name_of(node.operation));
  }
  for (const unsigned short* results : {variant.results, variant.next_results})
    for (std::size_t i = 0; i < formula_slots.size(); ++i)
      if (results[i] > nodes.size)
        return RANKONE_REFUSED("the result of a formula is one of the nodes", "a node of the declaration", results[i]);
  return {};
}

constexpr Verdict check_name(std::string_view name) {
  if (!is_identifier(name))
    return RANKONE_REFUSED("a name starts with a letter; letters, digits and underscores follow",
                           "such as x or dt_bias", name);
  constexpr std::string_view taken[] = {"q",
                                        "k",
                                        "v",
                                        "o",
                                        "dq",
                                        "dk",
                                        "dv",
                                        "do",
                                        "scale",
                                        "cu_seqlens",
                                        "cu_seqlens_k",
                                        "start_positions",
                                        "workspace",
                                        "state",
                                        "state_read",
                                        "state_write",
                                        "log_decay_total",
                                        "order",
                                        passed_input.text};
  constexpr std::string_view prefixes[] = {"initial_state", "final_state", "dinitial_state", "dfinal_state",
                                           "token_states"};
  bool clashes = std::find(std::begin(taken), std::end(taken), name) != std::end(taken);
  for (const std::string_view prefix : prefixes) clashes |= name.starts_with(prefix);
  for (const CarriedState& each : carried_states) clashes |= name.starts_with("state_") && name.substr(6) == each.name;
  if (clashes)
    return RANKONE_REFUSED("q, k, v, o, scale, cu_seqlens, states and their gradients are taken: choose another name",
                           "another name", name);
  return {};
}

// Axes that a formula does not run over: of a decay or a phase there may be another kind that does, of others there is none.
constexpr Verdict check_columns(const Leaf& leaf, const Slot& slot) {
  const Axes axes = resolve(leaf.axes, slot.domain);
  const bool wants_key = axes.has(Axes::key) && !slot.domain.has(Axes::key),
             wants_value = axes.has(Axes::value) && !slot.domain.has(Axes::value);
  if (axes.has(Axes::slot) && !slot.domain.has(Axes::slot))
    return RANKONE_REFUSED("slots stand between the passes of a chain: a formula that runs over none reads no axis M",
                           "H, HV, and K or V where it runs over them", leaf.view());
  if (!wants_key && !wants_value) return {};
  if (slot.domain.has(Axes::slot))
    return RANKONE_REFUSED(
        "slots are the columns that a chain's first pass writes and the keys of its second: their axis is M",
        "H, HV, and M; K in the first pass, V in the second", leaf.view());
  if (slot.formula == Formula::phase && wants_value)
    return RANKONE_REFUSED("a phase turns whole rows of the state: it reads no axis V",
                           "H, HV, and K in per-key formulas", leaf.view());
  if (slot.formula == Formula::phase)
    return RANKONE_REFUSED("a phase that runs over no keys reads no axis K: use a per-key phase, or one value a head",
                           "H, HV", leaf.view());
  if (slot.has_domains() && wants_value)
    return RANKONE_REFUSED("a decay that runs over no value columns reads no axis V: use a per-value or full decay",
                           "H, HV, and K in per-key formulas", leaf.view());
  if (slot.has_domains())
    return RANKONE_REFUSED("a decay that runs over no keys reads no axis K: use a per-key decay, or one value a head",
                           "H, HV, and V in per-value formulas", leaf.view());
  if (slot.domain.has(Axes::key))
    return RANKONE_REFUSED("a formula of keys and queries runs over no value columns: it reads no axis V",
                           "H, HV, and K", leaf.view());
  if (slot.domain.has(Axes::value))
    return RANKONE_REFUSED("a formula of values and outputs runs over no keys: it reads no axis K", "H, HV, and V",
                           leaf.view());
  return RANKONE_REFUSED("a scale is one number for each token and head: it reads neither axis K nor axis V", "H, HV",
                         leaf.view());
}

constexpr Verdict check_axes(const Leaf& leaf, const Slot& slot) {
  if (const Verdict verdict = check_columns(leaf, slot)) return verdict;
  const Axes axes = resolve(leaf.axes, slot.domain);
  const bool heads = axes.has(Axes::head), value_heads = axes.has(Axes::value_head);
  if (heads && value_heads)
    return RANKONE_REFUSED("an input or parameter runs over H or over HV, not over both", "one of them", leaf.view());
  if (leaf.operation == Operation::input && !heads && !value_heads)
    return RANKONE_REFUSED("a token input runs over HV or H, and beside that over K or V where its formula does",
                           "HV, H, and K or V with one of them", leaf.view());
  if (leaf.operation == Operation::input && axes.has(Axes::key) && axes.has(Axes::value))
    return RANKONE_REFUSED("a token input runs over K or over V, not over both: give it the axes of one side", "K, V",
                           leaf.view());
  if (axes.empty())
    return RANKONE_REFUSED("a parameter runs over at least one of HV, H, K and V", "HV, H, K, V", leaf.view());
  return {};
}

constexpr Verdict check_constant(double value) {
  if (!math::is_finite(value))
    return RANKONE_REFUSED("a constant is a finite number", "magnitudes up to 3.4e38", value);
  if (!math::is_finite_float(value))
    return RANKONE_REFUSED("a constant fits float32", "magnitudes up to 3.4e38", value);
  return {};
}

// Whether a formula may read it, whatever it holds.
constexpr Verdict check_place(const Leaf& leaf, const Slot& slot) {
  const Operation operation = leaf.operation;
  const std::string_view name = is_named(operation) ? leaf.view() : name_of(operation);
  const bool varies = traits(operation).varies && slot.leaves.has(operation) && !slot.domain.has(Axes::token);
  if (varies && slot.formula == Formula::phase)
    return RANKONE_REFUSED("a constant phase is the same for every token: no inputs and no position()",
                           "parameters, scalars, head(), numbers", name);
  if (varies)
    return RANKONE_REFUSED("a constant decay is the same for every token: no inputs and no position()",
                           "parameters, scalars, head(), numbers", name);
  if (slot.leaves.has(operation)) return {};
  if (slot.leaves.has(Operation::element))
    return RANKONE_REFUSED("a feature map reads no tensor, and nothing that is made of one but its elements",
                           "element(), other(), keys(), position(), head(), heads(), scalars, numbers", name);
  if (operation == Operation::element)
    return RANKONE_REFUSED("element() stands in feature maps alone", "inputs, parameters, scalars, head(), position()",
                           "element()");
  if (operation == Operation::other || operation == Operation::keys)
    return RANKONE_REFUSED("other() and keys() stand in feature maps alone",
                           "inputs, parameters, scalars, head(), position()", name);
  if (operation == Operation::query)
    return RANKONE_REFUSED("query() stands in query expressions alone",
                           "inputs, parameters, scalars, head(), position()", "query()");
  if (operation == Operation::key)
    return RANKONE_REFUSED("key() stands in expressions of keys and queries alone",
                           "inputs, parameters, scalars, head(), position()", "key()");
  if (operation == Operation::value)
    return RANKONE_REFUSED("value() stands in expressions of values and outputs alone",
                           "inputs, parameters, scalars, head(), position()", "value()");
  if (operation == Operation::decay)
    return RANKONE_REFUSED("decay() stands in expressions of keys and queries alone",
                           "inputs, parameters, scalars, head(), position()", "decay()");
  if (operation == Operation::read)
    return RANKONE_REFUSED("read() stands in output expressions alone",
                           "inputs, parameters, scalars, head(), position()", "read()");
  const bool is_scanned = operation == Operation::scanned || operation == Operation::scanned_before;
  if (is_scanned && slot.stage == Stage::first)
    return RANKONE_REFUSED(
        "a chain's scan is of slots: in the first pass it is read by per-value decays and expressions of values",
        "inputs, parameters, scalars, head(), position()", name);
  if (is_scanned)
    return RANKONE_REFUSED("scanned() and scanned_before() stand in per-key decays and expressions of keys and queries",
                           "inputs, parameters, scalars, head(), position()", name);
  if (operation == Operation::passed)
    return RANKONE_REFUSED("passed() stands in the query of a chain's second pass alone",
                           "inputs, parameters, scalars, head(), position()", "passed()");
  if (operation == Operation::unit)
    return RANKONE_REFUSED("unit() stands in output expressions alone",
                           "inputs, parameters, scalars, head(), position()", "unit()");
  if (operation == Operation::normaliser)
    return RANKONE_REFUSED("normaliser() stands in output expressions alone",
                           "inputs, parameters, scalars, head(), position()", "normaliser()");
  return RANKONE_REFUSED("a formula reads what its place in the recurrence knows", "leaves of another kind", name);
}

constexpr Verdict check_leaf(const Leaf& leaf, const Slot& slot) {
  if (leaf.operation == Operation::constant) return check_constant(leaf.value);
  if (const Verdict verdict = check_place(leaf, slot)) return verdict;
  if (!is_named(leaf.operation)) return {};
  if (const Verdict verdict = check_name(leaf.view())) return verdict;
  return leaf.operation == Operation::scalar ? Verdict{} : check_axes(leaf, slot);
}

constexpr Verdict check_reductions(const Expression& formula, const Slot& slot) {
  const bool has_rows = slot.domain.has(Axes::key) && !slot.domain.has(Axes::value);
  for (const Node& node : formula)
    if (reduces_keys(node.operation) && !has_rows)
      return RANKONE_REFUSED("a sum or maximum over keys stands in a formula that runs over keys alone",
                             "per-key decays, queries, keys, feature maps", name_of(node.operation));
  return {};
}

constexpr Verdict check_range(const Expression& formula, const Slot& slot) {
  // What a row of equal numbers adds up to depends on how many there are.
  const bool is_number = std::all_of(formula.begin(), formula.end(), [](const Node& node) {
    return node.operation == Operation::constant ||
           (operand_count(node.operation) > 0 && !reduces_keys(node.operation));
  });
  if (slot.range != Range::at_most_zero || !is_number) return {};
  const double value = evaluate(formula);
  if (value != value) return RANKONE_REFUSED("a log-decay is a number", "at most 0; minus infinity is a reset", value);
  if (value > 0)
    return RANKONE_REFUSED("a log-decay is at most 0: the state would grow without bound", "at most 0", value);
  return {};
}

constexpr int count(const Expression& formula, Operation operation) {
  return static_cast<int>(
      std::count_if(formula.begin(), formula.end(), [&](const Node& node) { return node.operation == operation; }));
}
// A feature map's pieces, and that nothing else has any.
constexpr Verdict check_pieces(const Expression& formula, const Slot& slot) {
  const int pieces = count_pieces(formula);
  if (slot.formula != Formula::feature_map || count(formula, Operation::concatenate) != pieces - 1) {
    if (count(formula, Operation::concatenate) == 0) return {};
    return RANKONE_REFUSED("a concatenation stands at the root of a feature map, and in no other formula",
                           "concatenate(piece, piece, ...)", slot.caption);
  }
  if (pieces > max_pieces) return RANKONE_REFUSED("a feature map is at most 4 pieces side by side", "1 to 4", pieces);
  if (!reads(formula, Operation::element))
    return RANKONE_REFUSED("a feature map reads element()", "such as relu(element())",
                           Described{"a formula without it"});
  for (int i = 0; i < pieces; ++i) {
    const Piece piece = piece_of(formula, i);
    if (piece.width == Width::pairs && !reads(piece.formula, Operation::element))
      return RANKONE_REFUSED("a piece of pairs reads both of them: element() beside other()", "element() * other()",
                             Described{"other() alone"});
    if (piece.width != Width::elements && reduces_keys(piece.formula))
      return RANKONE_REFUSED("a sum or maximum over keys stands in pieces of single elements",
                             "element() without other()",
                             Described{piece.width == Width::pairs ? "a piece of pairs" : "a piece without element()"});
  }
  return {};
}

constexpr Verdict check_domain(const Variant& variant) {
  const bool has_formula = variant.has(Formula::decay);
  const Axes domain = Axes::of_bits(variant.domains[static_cast<std::size_t>(Formula::decay)]);
  if (domain.empty()) {
    if (has_formula)
      return RANKONE_REFUSED("a decay of kind none has no formula", "another kind, or none", Described{"a formula"});
    return {};
  }
  const auto* known =
      std::find_if(decay_domains.begin(), decay_domains.end(), [&](const Domain& each) { return each.axes == domain; });
  if (known == decay_domains.end())
    return RANKONE_REFUSED("a decay is none, constant, per_head, per_key, per_value or full", "one of them",
                           Described{"another set of axes"});
  if (!has_formula)
    return RANKONE_REFUSED("a decay of another kind than none has a formula for its logarithm", "one, or the kind none",
                           Described{"no formula"});
  return {};
}

constexpr Verdict check_phase_domain(const Variant& variant) {
  const bool has_formula = variant.is_complex();
  const Axes domain = Axes::of_bits(variant.domains[static_cast<std::size_t>(Formula::phase)]);
  if (domain.empty() && !has_formula) return {};
  const bool is_known =
      std::any_of(phase_domains.begin(), phase_domains.end(), [&](const Domain& each) { return each.axes == domain; });
  if (!is_known)
    return RANKONE_REFUSED("a phase is constant, per_head or per_key: it turns whole rows of the state", "one of them",
                           Described{domain.empty() ? "the kind none" : "another set of axes"});
  if (!has_formula)
    return RANKONE_REFUSED("a phase of another kind than none has a formula for its angle", "one, or no phase",
                           Described{"no formula"});
  return {};
}

constexpr Verdict check_formulas(const Variant& variant) {
  if (const Verdict verdict = check_domain(variant)) return verdict;
  if (const Verdict verdict = check_phase_domain(variant)) return verdict;
  Verdict first;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    for (const Node& node : formula)
      if (!first && operand_count(node.operation) == 0) first = check_leaf(formula.leaf(node), slot);
    if (!first) first = check_reductions(formula, slot);
    if (!first) first = check_pieces(formula, slot);
    if (!first) first = check_range(formula, slot);
  });
  if (first) return first;
  if (variant.decay_axes() != slot_domains::key && reads_decay(variant))
    return RANKONE_REFUSED("decay() in an expression of keys and queries needs a per-key decay",
                           "key(), or a decay of kind per_key", "decay()");
  return {};
}

// What a token has once, and what it has for each of its steps.
constexpr Verdict check_steps(const Variant& variant) {
  if (variant.steps_ < 1 || variant.steps_ > max_steps)
    return RANKONE_REFUSED("a token has 1 to 8 steps", "1 to 8", variant.steps_);
  if (variant.steps_ == 1) return {};
  if (variant.has(Formula::bonus))
    return RANKONE_REFUSED("a bonus is of a token's own key, and with several steps it has several",
                           "one step a token, or an inclusive or exclusive read", variant.steps_);
  if (variant.non_causal_ || variant.bidirectional_)
    return RANKONE_REFUSED("steps follow each other in one walk: a non-causal or bidirectional variant has none",
                           "one step a token, or the pattern causal or reversed", variant.steps_);
  if (variant.erases_undecayed_)
    return RANKONE_REFUSED("with several steps what is erased is read of the decayed state",
                           "one step a token, or the order decayed", Described{"undecayed"});
  Verdict first;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    for (const Node& node : formula) {
      if (first) return;
      const Leaf leaf = formula.leaf(node);
      const bool reads_step = node.operation == Operation::key || node.operation == Operation::value,
                 reads_input = node.operation == Operation::input;
      if (!slot.of_steps && reads_step)
        first =
            RANKONE_REFUSED("with several steps a token has several keys and values: a query or an output reads none",
                            "one step a token, or a formula without it", name_of(node.operation));
      else if (slot.of_steps && node.operation == Operation::decay)
        first = RANKONE_REFUSED("with several steps a token decays before the first alone: no key reads the decay",
                                "one step a token, or a key without decay()", "decay()");
      else if (!slot.of_steps && reads_input && is_of_steps(variant, leaf.view()))
        first = RANKONE_REFUSED("an input is a token's or a step's: keys, values and scales have one for each step",
                                "two inputs", leaf.view());
    }
  });
  return first;
}

constexpr Verdict check_pins(const Variant& variant) {
  if ((variant.chunk_ != 0 || variant.level_ != Level::automatic) && !part_without_chunks(variant).empty())
    return RANKONE_REFUSED("a chunk or a level is pinned where a variant has no form in chunks",
                           "no chunk and no level", part_without_chunks(variant));
  return {};
}

// Parts that mean nothing without another.
constexpr Verdict check_parts(const Variant& variant) {
  if ((!variant.has(Formula::erase) && (variant.has(Formula::erase_read) || variant.has(Formula::erase_write))) ||
      (!variant.erases() && variant.erases_undecayed_))
    return RANKONE_REFUSED("what says how something is erased needs a scale by which it is",
                           "erase(1), or another scale", Described{"no erase"});
  if (!variant.has(Formula::value_erase) &&
      (variant.has(Formula::value_erase_read) || variant.has(Formula::value_erase_write)))
    return RANKONE_REFUSED("what says which value is erased needs a scale by which it is",
                           "value_erase(1), or another scale", Described{"no value_erase"});
  if (variant.has(Formula::erase) && variant.has(Formula::value_erase))
    return RANKONE_REFUSED("a token erases on one side of the state, by its key or by its value",
                           "erase, or value_erase", Described{"both"});
  if (variant.exclusive_ && variant.has(Formula::bonus))
    return RANKONE_REFUSED("a bonus is read exclusively already: it takes the place of a token's own write",
                           "bonus, or an exclusive read", Described{"both"});
  if (variant.has(Formula::output) && !reads(variant.formula(Formula::output), Operation::read))
    return RANKONE_REFUSED("an output expression uses what was read", "such as read() * sigmoid(value())",
                           Described{"a formula without read()"});
  if (is_normalised(variant) && variant.decays_by_value())
    return RANKONE_REFUSED("a normaliser has no value columns that could decay, each in its own way",
                           "no decay, or one of kind constant, per_head or per_key", "normaliser()");
  if (is_normalised(variant) && variant.has(Formula::value_erase))
    return RANKONE_REFUSED("a normaliser has no value columns that a value could be erased of",
                           "erase, which erases by keys, or no normaliser", "normaliser()");
  return check_pins(variant);
}

// Queries and keys of a non-causal variant are as many as each call gives, and in no order.
constexpr Verdict check_non_causal(const Variant& variant) {
  if (!variant.non_causal_) return {};
  if (variant.has(Formula::decay))
    return RANKONE_REFUSED("a non-causal variant forgets nothing: each of its queries reads all keys",
                           "no decay, or a causal or reversed variant", Described{"a decay"});
  if (variant.erases())
    return RANKONE_REFUSED("a non-causal variant erases nothing: its keys are in no order",
                           "no erase, or a causal or reversed variant", Described{"an erase"});
  if (variant.reads_before())
    return RANKONE_REFUSED("a non-causal query reads all keys, and has no token of its own before or beside them",
                           "an inclusive read, or a causal or reversed variant",
                           Described{variant.exclusive_ ? "an exclusive read" : "a bonus"});
  if (variant.reversed_ || variant.permuted_ || variant.bidirectional_)
    return RANKONE_REFUSED("a non-causal variant walks its keys in no order that could be another one",
                           "non_causal() without reversed(), permuted() and bidirectional()",
                           Described{variant.reversed_   ? "reversed, too"
                                     : variant.permuted_ ? "permuted, too"
                                                         : "bidirectional, too"});
  if (!reads_query(variant))
    return RANKONE_REFUSED("of a non-causal variant q says how many queries there are",
                           "query() in the query's formula", Described{"a formula without it"});
  if (variant.has(Formula::query) && reads(variant.formula(Formula::query), Operation::key))
    return RANKONE_REFUSED("a non-causal query has no key of its own", "query(), or a causal or reversed variant",
                           "key()");
  if (variant.has(Formula::output) && reads(variant.formula(Formula::output), Operation::value))
    return RANKONE_REFUSED("a non-causal output has no value of its own", "read(), or a causal or reversed variant",
                           "value()");
  for (const Leaf& input : inputs_of(variant))
    if (side_reads(variant, true, input.view()) && side_reads(variant, false, input.view()))
      return RANKONE_REFUSED("a token input of a non-causal variant is of queries or of keys, which are counted apart",
                             "an input of another name for each side", input.view());
  return {};
}

constexpr Verdict check_bidirectional(const Variant& variant) {
  if (!variant.bidirectional_) return {};
  if (variant.reversed_)
    return RANKONE_REFUSED("both directions are walked already: there is none that could be reversed",
                           "bidirectional(), or reversed()", Described{"both"});
  if (variant.exclusive_)
    return RANKONE_REFUSED("in both directions together a token is read once, and an exclusive read would leave it out",
                           "an inclusive read, or a bonus", Described{"an exclusive read"});
  if (is_normalised(variant))
    return RANKONE_REFUSED("a normaliser's sum of keys has one direction: no second one is carried beside it",
                           "no normaliser, or a causal, reversed or non-causal variant", Described{"normaliser()"});
  return {};
}

// Of a complex state real keys are written to the real part, and queries read that.
constexpr Verdict check_phase(const Variant& variant) {
  if (!variant.is_complex()) return {};
  if (variant.non_causal_)
    return RANKONE_REFUSED("a non-causal variant turns nothing: its keys are in no order",
                           "no phase, or a causal or reversed variant", Described{"a phase"});
  if (variant.bidirectional_)
    return RANKONE_REFUSED("a complex state has one direction: no second one's imaginary part is carried beside it",
                           "no phase, or a causal or reversed variant", Described{"a phase"});
  if (variant.erases())
    return RANKONE_REFUSED("beside a phase nothing is erased: what a key holds there is complex, and a value is real",
                           "no erase, or no phase", Described{"an erase"});
  if (is_normalised(variant))
    return RANKONE_REFUSED("a normaliser sums weights of keys, and beside a phase they change their signs",
                           "no normaliser, or no phase", "normaliser()");
  return {};
}

// The token before is the one of the same walk.
constexpr Verdict check_lagged_write(const Variant& variant) {
  if (!variant.writes_again()) return {};
  if (variant.non_causal_ || variant.bidirectional_)
    return RANKONE_REFUSED("a lagged write is of the token before, in one walk",
                           "no lagged write, or a causal or reversed variant",
                           Described{variant.non_causal_ ? "a non-causal variant" : "a bidirectional variant"});
  if (variant.steps_ != 1)
    return RANKONE_REFUSED("beside a lagged write a token has one key and one value", "one step a token",
                           variant.steps_);
  if (variant.erases())
    return RANKONE_REFUSED("beside a lagged write nothing is erased: what is written again would be erased again",
                           "no erase, or no lagged write", Described{"an erase"});
  if (has_running_max(variant))
    return RANKONE_REFUSED("a running maximum is that of each token's own write: beside it nothing is written again",
                           "no write_log_scale, or no lagged write", Described{"both"});
  if (has_scan(variant))
    return RANKONE_REFUSED(
        "beside a scan nothing is written again: going back, keys of earlier tokens would lack theirs",
        "no scan, or no lagged write", Described{"both"});
  return {};
}

// A running maximum is one number of a state, which moves once a token.
constexpr Verdict check_running_max(const Variant& variant) {
  const Expression output = variant.formula(Formula::output);
  if (!has_running_max(variant)) {
    if (reads(output, Operation::unit))
      return RANKONE_REFUSED("unit() belongs to a write_log_scale: without one it would be 1",
                             "a write_log_scale, or 1", "unit()");
    return {};
  }
  if (variant.decays_by_key() || variant.decays_by_value())
    return RANKONE_REFUSED("beside a write_log_scale keys and value columns decay alike: they have one running maximum",
                           "no decay, or one of kind constant or per_head", Described{"a decay of single ones"});
  if (variant.erases())
    return RANKONE_REFUSED("beside a write_log_scale nothing is erased", "no erase, or no write_log_scale",
                           Described{"an erase"});
  if (variant.reads_before())
    return RANKONE_REFUSED("beside a write_log_scale a query reads its own token's write, in whose units outputs are",
                           "an inclusive read", Described{variant.exclusive_ ? "an exclusive read" : "a bonus"});
  if (variant.non_causal_ || variant.bidirectional_)
    return RANKONE_REFUSED("a running maximum goes one way, from token to token", "the pattern causal or reversed",
                           Described{variant.non_causal_ ? "a non-causal variant" : "a bidirectional variant"});
  if (variant.steps_ != 1)
    return RANKONE_REFUSED("a running maximum moves once a token", "one step a token", variant.steps_);
  if (!Degrees(output).is_zero())
    return RANKONE_REFUSED(
        "beside a write_log_scale outputs have no units: what was read is divided by normaliser() or unit()",
        "such as read() / max(abs(normaliser()), unit())",
        Described{output.empty() ? "what was read" : "a formula that has some"});
  return {};
}

constexpr bool reads_scan(const Expression& formula) {
  return reads(formula, Operation::scanned) || reads(formula, Operation::scanned_before);
}
// A scan is one number for each key, which moves once a token, along one walk.
constexpr Verdict check_scan(const Variant& variant) {
  bool is_read = false;
  for_each_formula(variant, [&](const Slot&, const Expression& formula) { is_read |= reads_scan(formula); });
  if (!has_scan(variant)) {
    if (is_read)
      return RANKONE_REFUSED("scanned() and scanned_before() belong to a scan",
                             "cumulative_sum or cumulative_log_sum_exp", Described{"none"});
    if (variant.scans_exponentials_)
      return RANKONE_REFUSED("what says how something is scanned needs a term that is", "a term, or the kind sum",
                             Described{"no term"});
    return {};
  }
  if (!is_read && variant.stage_ != Stage::only)
    return RANKONE_REFUSED("a chain's scan is of the slots between its passes, and both of them read it",
                           "scanned() or scanned_before() in a formula of either pass, or no scan",
                           Described{variant.stage_ == Stage::first ? "a first pass that does not read it"
                                                                    : "a second pass that does not read it"});
  if (!is_read)
    return RANKONE_REFUSED("a scan is read by a formula", "scanned() or scanned_before() in one, or no scan",
                           Described{"none that reads it"});
  const Axes scanned = variant.stage_ == Stage::first ? slot_domains::value : slot_domains::key;
  if (variant.decay_axes() != scanned && reads_scan(variant.formula(Formula::decay)))
    return RANKONE_REFUSED("a scan has a number for each key: a decay that reads it is per_key",
                           "a decay of kind per_key", Described{"another kind"});
  if (variant.non_causal_ || variant.bidirectional_)
    return RANKONE_REFUSED("a scan goes one way, from token to token", "the pattern causal or reversed",
                           Described{variant.non_causal_ ? "a non-causal variant" : "a bidirectional variant"});
  if (variant.steps_ != 1) return RANKONE_REFUSED("a scan moves once a token", "one step a token", variant.steps_);
  return {};
}

// The tensors and scalars of all formulas together.
constexpr Verdict check_names(const Variant& variant) {
  const Leaves inputs = inputs_of(variant), parameters = parameters_of(variant), scalars = scalars_of(variant);
  if (inputs.size > max_variant_inputs)
    return RANKONE_REFUSED("a variant reads at most 6 token inputs", "0 to 6", inputs.size);
  if (parameters.size > max_variant_parameters)
    return RANKONE_REFUSED("a variant reads at most 8 parameters", "0 to 8", parameters.size);
  if (scalars.size > max_variant_scalars)
    return RANKONE_REFUSED("a variant reads at most 8 scalars", "0 to 8", scalars.size);
  Verdict first;
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    for (const Node& node : formula) {
      if (first || !is_named(node.operation) || node.operation == Operation::scalar) continue;
      const Leaves& known = node.operation == Operation::input ? inputs : parameters;
      const Leaf leaf = formula.leaf(node);
      if (known[known.index_of(leaf.view())].axes == resolve(leaf.axes, slot.domain)) continue;
      first = RANKONE_REFUSED("an input or parameter has the same axes wherever it stands: give them with its name",
                              "the same axes", leaf.view());
    }
  });
  if (first) return first;

  const auto known = [&](std::string_view name) {
    return (inputs.index_of(name) >= 0) + (parameters.index_of(name) >= 0) + (scalars.index_of(name) >= 0);
  };
  for (const Leaves* leaves : {&inputs, &parameters, &scalars})
    for (const Leaf& leaf : *leaves) {
      const std::string_view name = leaf.view();
      if (known(name) > 1)
        return RANKONE_REFUSED("a name stands for one thing: an input, a parameter or a scalar", "another name", name);
      if (name.size() > 1 && name[0] == 'd' && known(name.substr(1)))
        return RANKONE_REFUSED("dNAME is the gradient of NAME: rename one of the two", "another name", name);
    }
  return {};
}

constexpr Verdict check_numbers(const Variant& variant) {
  const double scale = variant.scale_;  // 0: none is given
  if (!math::is_finite(scale))
    return RANKONE_REFUSED("a scale is a finite number", "magnitudes from 1.5e-45 to 3.4e38", scale);
  if (!math::is_finite_float(scale) || (scale != 0 && math::is_zero_float(scale)))
    return RANKONE_REFUSED("a scale fits float32", "magnitudes from 1.5e-45 to 3.4e38", scale);
  const int chunk = variant.chunk_;
  if (chunk != 0 && (chunk < 16 || chunk > 128 || chunk % 16 != 0))
    return RANKONE_REFUSED("a chunk is a multiple of 16 tokens, from 16 to 128", "16, 32, 48, ... 128", chunk);
  if (variant.level_ > Level::segment)
    return RANKONE_REFUSED("a level is automatic, serial, chunk or segment", "0 to 3",
                           static_cast<int>(variant.level_));
  return {};
}

// What the passes of a chain may not have, and must.
constexpr Verdict check_passes(const Variant& variant) {
  if (variant.steps_ != 1)
    return RANKONE_REFUSED("the passes of a chain go from token to token", "one step a token", variant.steps_);
  if (variant.non_causal_ || variant.bidirectional_)
    return RANKONE_REFUSED("the passes of a chain walk the same way, from token to token",
                           "the pattern causal or reversed",
                           Described{variant.non_causal_ ? "a non-causal variant" : "a bidirectional variant"});
  const Variant first = stage(variant, Stage::first), second = stage(variant, Stage::second);
  for (const Variant* pass : {&first, &second}) {
    if (is_normalised(*pass) || has_running_max(*pass) || pass->is_complex() || pass->writes_again())
      return RANKONE_REFUSED("beside the state of a chain's pass nothing is carried but a scan of slots",
                             "decays, erasures, bonuses, and formulas of what is read and written",
                             Described{is_normalised(*pass)     ? "a normaliser"
                                       : has_running_max(*pass) ? "a running maximum"
                                       : pass->is_complex()     ? "a phase"
                                                                : "a lagged write"});
    if (has_features(*pass) || (pass == &second && pass->has(Formula::feature_map)))
      return RANKONE_REFUSED("of a chain the first pass alone maps features, element by element",
                             "relu, or another function of each element", Described{"another feature map"});
  }
  if (!first.has(Formula::value) || any_reads(first, Operation::value))
    return RANKONE_REFUSED("a chain's first pass writes slots, which have no v: its value is a formula of its own",
                           "a value that does not read value()", Described{"v"});
  if (!second.has(Formula::key) || any_reads(second, Operation::key) || any_reads(second, Operation::query))
    return RANKONE_REFUSED(
        "a chain's second pass has slots for keys, and neither k nor q: its key is a formula of its own",
        "a key that does not read key()", Described{"q or k"});
  if (!reads(second.formula(Formula::query), Operation::passed))
    return RANKONE_REFUSED("the query of a chain's second pass is made of what the first one reads",
                           "passed() in its formula, such as softmax(passed())", Described{"a query without it"});
  if (inputs_of(second).size == max_variant_inputs)
    return RANKONE_REFUSED("the second pass of a chain reads at most 5 token inputs beside passed()", "0 to 5",
                           max_variant_inputs);
  return {};
}

}  // namespace validation

namespace validation {

// Of one recurrence: of a chain either pass has all that a variant has.
constexpr Verdict check_recurrence(const Variant& variant) {
  constexpr std::array checks{check_formulas,     check_steps,         check_parts,
                              check_non_causal,   check_bidirectional, check_phase,
                              check_lagged_write, check_running_max,   check_scan};
  for (const auto check : checks)
    if (const Verdict verdict = check(variant)) return verdict;
  return {};
}

constexpr Verdict check_chain(const Variant& variant) {
  if (const Verdict verdict = check_passes(variant)) return verdict;
  for (const Stage each : {Stage::first, Stage::second})
    if (const Verdict verdict = check_recurrence(stage(variant, each))) return verdict;
  Verdict first;  // tensors of slots have their axis, whatever that is to either pass
  for_each_formula(variant, [&](const Slot& slot, const Expression& formula) {
    for (const Node& node : formula)
      if (!first && is_tensor(node.operation)) first = check_axes(formula.leaf(node), slot);
  });
  return first ? first : check_pins(variant);
}

}  // namespace validation

// What is wrong with a declaration first, if anything is.
constexpr Verdict judge(const Variant& variant) {
  if (!is_identifier(variant.name.view()))
    return RANKONE_REFUSED("a variant's name starts with a letter; letters, digits and underscores follow",
                           "such as my_gla", variant.name.view());
  using namespace validation;
  const auto of_recurrences = variant.chains_ ? check_chain : check_recurrence;
  constexpr auto last = std::array{check_names, check_numbers};
  if (const Verdict verdict = check_nodes(variant)) return verdict;
  if (const Verdict verdict = of_recurrences(variant)) return verdict;
  for (const auto check : last)
    if (const Verdict verdict = check(variant)) return verdict;
  return {};
}

// Throws Error where a declaration has no meaning; in a constant expression, does not compile.
constexpr void validate(const Variant& variant) {
  if (const Verdict verdict = judge(variant)) verdict.refuse(verdict.given);
}

#undef RANKONE_REFUSED

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Whether a variant has a meaning: one function for the compiler, JSON and the command line.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include <rankone/dsl/evaluate.hpp>
#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

// As many as a launch can pass.
inline constexpr int max_variant_inputs = 6, max_variant_parameters = 8, max_variant_scalars = 8;

namespace validation {

enum class Place { constant_decay, head_decay, key_decay, key, write_scale, feature_map };

constexpr bool is_per_key(Place place) { return place == Place::key_decay || place == Place::key; }

constexpr void check_graph(const Expression& expression) {
  if (expression.size < 0 || expression.size > max_nodes)
    refuse("an expression has at most 64 nodes", expression.size, "0 to 64");
  std::array<bool, max_nodes> used{};
  for (int i = 0; i < expression.size; ++i) {
    const Node& node = expression.nodes[static_cast<std::size_t>(i)];
    if (!is_known(node.operation))
      refuse("an operation is one that the enumeration lists", static_cast<int>(node.operation), "a known one");
    const int operands = operand_count(node.operation);
    const auto fits = [&](short index, bool wanted) { return wanted ? index >= 0 && index < i : index == -1; };
    if (!fits(node.left, operands >= 1) || !fits(node.right, operands == 2))
      refuse("an operation has all of its operands, and they stand before it", name_of(node.operation),
             "earlier nodes");
    if (operands >= 1) used[static_cast<std::size_t>(node.left)] = true;
    if (operands == 2) used[static_cast<std::size_t>(node.right)] = true;
  }
  for (int i = 0; i + 1 < expression.size; ++i)
    if (!used[static_cast<std::size_t>(i)])
      refuse("every node of an expression but its last is an operand of another", i, "nodes that are used");
}

constexpr void check_name(std::string_view name) {
  if (!is_identifier(name))
    refuse("a name starts with a letter; letters, digits and underscores follow", name, "such as x or dt_bias");
  constexpr std::string_view taken[] = {"q",  "k",  "v",  "o",  "scale", "cu_seqlens", "cu_seqlens_k",
                                        "dq", "dk", "dv", "do", "state", "state_read", "state_write"};
  constexpr std::string_view prefixes[] = {"initial_state", "final_state", "dinitial_state", "dfinal_state"};
  bool clashes = std::find(std::begin(taken), std::end(taken), name) != std::end(taken);
  for (const std::string_view prefix : prefixes) clashes |= name.starts_with(prefix);
  if (clashes)
    refuse("q, k, v, o, scale, cu_seqlens, states and their gradients are taken: choose another name", name,
           "another name");
}

constexpr void check_axes(const Node& node, Place place) {
  const Axes axes = resolve(node.axes, is_per_key(place));
  const bool heads = axes.has(Axes::head), value_heads = axes.has(Axes::value_head);
  const bool input = node.operation == Operation::input;
  const std::string_view name = node.name.view();
  if (axes.has(Axes::value))
    refuse("no input or parameter runs over V: decays and keys act on the key side", name, "H, HV, K");
  if (heads && value_heads) refuse("an input or parameter runs over H or over HV, not over both", name, "one of them");
  if (axes.has(Axes::key) && !is_per_key(place))
    refuse("a per-head formula reads no axis K: use a per-key decay, or one value a head", name, "H, HV");
  if (input && !heads && !value_heads)
    refuse("a token input runs over HV or H, and in per-key formulas also over K", name, "HV, H");
  if (axes.bits == 0) refuse("a parameter runs over at least one of HV, H and K", name, "HV, H, K");
}

constexpr void check_leaf(const Node& node, Place place) {
  const bool named = is_named(node.operation);
  const bool varies = node.operation == Operation::input || node.operation == Operation::position;
  const std::string_view name = named ? node.name.view() : name_of(node.operation);
  if (node.operation == Operation::constant && !math::is_finite(node.value))
    refuse("a constant is a finite number", node.value, "magnitudes up to 3.4e38");
  if (node.operation == Operation::constant && !math::is_finite_float(node.value))
    refuse("a constant fits float32", node.value, "magnitudes up to 3.4e38");
  if (place == Place::feature_map) {
    const bool fits = node.operation == Operation::element || node.operation == Operation::constant;
    if (!fits) refuse("a feature map is a formula of element() and numbers alone", name, "element() and numbers");
    return;
  }
  if (node.operation == Operation::element)
    refuse("element() stands in feature maps alone", "element()", "inputs, parameters, scalars, head(), position()");
  if (place != Place::key && node.operation == Operation::key)
    refuse("key() stands in key expressions alone", "key()", "inputs, parameters, scalars, head(), position()");
  if (place != Place::key && node.operation == Operation::decay)
    refuse("decay() stands in key expressions alone", "decay()", "inputs, parameters, scalars, head(), position()");
  if (place == Place::constant_decay && varies)
    refuse("a constant decay is the same for every token: no inputs and no position()", name,
           "parameters, scalars, head(), numbers");
  if (named) check_name(name);
  if (named && node.operation != Operation::scalar) check_axes(node, place);
}

constexpr void check_expression(const Expression& expression, Place place) {
  check_graph(expression);
  for (const Node& node : expression)
    if (operand_count(node.operation) == 0) check_leaf(node, place);
}

constexpr void check_decay(const Decay& decay) {
  if (decay.kind > DecayKind::per_key)
    refuse("a decay is none, constant, per_head or per_key", static_cast<int>(decay.kind), "0 to 3");
  if (decay.kind == DecayKind::none) {
    if (!decay.log_decay.empty())
      refuse("a decay of kind none has no formula", Described{"a formula"}, "another kind, or none");
    return;
  }
  if (decay.log_decay.empty())
    refuse("a constant, per-head or per-key decay has a formula for its logarithm", Described{"no formula"},
           "one, or the kind none");
  check_expression(decay.log_decay, decay.kind == DecayKind::constant   ? Place::constant_decay
                                    : decay.kind == DecayKind::per_head ? Place::head_decay
                                                                        : Place::key_decay);
  const bool is_number = std::all_of(decay.log_decay.begin(), decay.log_decay.end(), [](const Node& node) {
    return operand_count(node.operation) > 0 || node.operation == Operation::constant;
  });
  if (!is_number) return;
  const double value = evaluate(decay.log_decay);
  if (value != value) refuse("a log-decay is a number", value, "at most 0; minus infinity is a reset");
  if (value > 0) refuse("a log-decay is at most 0: the state would grow without bound", value, "at most 0");
}

// The tensors and scalars of all formulas together.
constexpr void check_names(const Variant& variant) {
  const Leaves inputs = inputs_of(variant), parameters = parameters_of(variant), scalars = scalars_of(variant);
  if (inputs.size > max_variant_inputs) refuse("a variant reads at most 6 token inputs", inputs.size, "0 to 6");
  if (parameters.size > max_variant_parameters)
    refuse("a variant reads at most 8 parameters", parameters.size, "0 to 8");
  if (scalars.size > max_variant_scalars) refuse("a variant reads at most 8 scalars", scalars.size, "0 to 8");
  const auto agree = [&](const Expression& expression, bool per_key) {
    for (const Node& node : expression) {
      if (!is_named(node.operation) || node.operation == Operation::scalar) continue;
      const Leaves& known = node.operation == Operation::input ? inputs : parameters;
      if (known[known.index_of(node.name.view())].axes == resolve(node.axes, per_key)) continue;
      refuse("an input or parameter has the same axes wherever it stands: give them with its name", node.name.view(),
             "the same axes");
    }
  };
  agree(variant.decay_.log_decay, is_per_key(variant.decay_));
  agree(variant.key_, true);
  agree(variant.write_scale_, false);

  const auto known = [&](std::string_view name) {
    return (inputs.index_of(name) >= 0) + (parameters.index_of(name) >= 0) + (scalars.index_of(name) >= 0);
  };
  for (const Leaves* leaves : {&inputs, &parameters, &scalars})
    for (const Leaf& leaf : *leaves) {
      const std::string_view name = leaf.name.view();
      if (known(name) > 1)
        refuse("a name stands for one thing: an input, a parameter or a scalar", name, "another name");
      if (name.size() > 1 && name[0] == 'd' && known(name.substr(1)))
        refuse("dNAME is the gradient of NAME: rename one of the two", name, "another name");
    }
}

}  // namespace validation

// Throws Error where a declaration has no meaning; in a constant expression, does not compile.
constexpr void validate(const Variant& variant) {
  using validation::Place;
  const std::string_view name = variant.name.view();
  if (!is_identifier(name))
    refuse("a variant's name starts with a letter; letters, digits and underscores follow", name, "such as my_gla");
  validation::check_decay(variant.decay_);
  validation::check_expression(variant.key_, Place::key);
  validation::check_expression(variant.write_scale_, Place::write_scale);
  validation::check_expression(variant.feature_map_, Place::feature_map);
  if (reads(variant.key_, Operation::decay) && !is_per_key(variant.decay_))
    refuse("decay() in a key expression needs a per-key decay", "decay()", "key(), or a decay of kind per_key");
  if (!variant.feature_map_.empty() && !reads(variant.feature_map_, Operation::element))
    refuse("a feature map reads element()", Described{"a formula without it"}, "such as relu(element())");
  validation::check_names(variant);
  const double scale = variant.scale_;  // 0: none is given
  if (!math::is_finite(scale)) refuse("a scale is a finite number", scale, "magnitudes from 1.5e-45 to 3.4e38");
  if (!math::is_finite_float(scale) || (scale != 0 && math::is_zero_float(scale)))
    refuse("a scale fits float32", scale, "magnitudes from 1.5e-45 to 3.4e38");
  const int chunk = variant.chunk_;
  if (chunk != 0 && (chunk < 16 || chunk > 128 || chunk % 16 != 0))
    refuse("a chunk is a multiple of 16 tokens, from 16 to 128", chunk, "16, 32, 48, ... 128");
  if (variant.level_ > Level::segment)
    refuse("a level is automatic, serial, chunk or segment", static_cast<int>(variant.level_), "0 to 3");
}

}  // namespace rankone

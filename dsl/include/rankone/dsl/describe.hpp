// SPDX-License-Identifier: MIT
// Expressions and variants as text to be read by people.
#pragma once

#include <array>
#include <charconv>
#include <string>

#include <rankone/dsl/infix.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

// The shortest decimal that reads back as the same number.
inline std::string to_string(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

namespace description {

template <class... Parts> std::string join(const Parts&... parts) {
  std::string text;
  ((text += parts), ...);
  return text;
}

// Inputs, parameters and scalars by their bare names.
inline Infix bare_leaf(const Leaf& leaf) {
  if (leaf.operation == Operation::constant) return {to_string(leaf.value)};
  return {std::string(is_named(leaf.operation) ? leaf.view() : name_of(leaf.operation))};
}
inline InfixStyle style(std::function<Infix(const Leaf&)> leaf = bare_leaf) {
  return {.leaf = std::move(leaf), .function = [](Operation operation) { return std::string(name_of(operation)); }};
}

// The parts of the line that describes a variant.
class Line {
 public:
  explicit Line(const Variant& variant) : variant_(variant) {
    for_each_formula(variant, [&](const Slot&, const Expression& formula) {
      reads_decay_ |= reads(formula, Operation::decay);
      bindings_.avoid(formula);
    });
  }

  std::string text() {
    const std::string decay = this->decay(), write = factor(Formula::write_scale);
    const Infix key = variant_.has(Formula::key) ? formula(Formula::key) : mapped("k_t");
    const std::string query = mapped("q_t").within(Precedence::atom);
    std::string definitions = reads_decay_ ? join("; a_t = ", decay_value_.text) : "";
    // A formula that this line has no place for is not left out.
    for_each_formula(variant_, [&](const Slot& slot, const Expression&) {
      if (!placed_[static_cast<std::size_t>(slot.formula)])
        definitions += join("; ", slot.name, "_t = ", formula(slot.formula).text);
    });
    for (const auto& [name, value] : bindings_.list) definitions += join("; ", name, " = ", value);
    const double scale = variant_.scale_;
    return join("S_t = ", decay, "S_{t-1} + ", write, key.within(Precedence::atom), "^T v_t", definitions, "; o_t = ",
                scale == 0   ? "K^-0.5 "
                : scale == 1 ? ""
                             : join(to_string(scale), " "),
                query, " S_t");
  }

 private:
  Infix written(const Expression& expression, int root, std::function<Infix(const Leaf&)> leaf) {
    const InfixStyle in = style(std::move(leaf));
    return InfixWriter(expression, in, bindings_).write({root}).front();
  }
  Expression taken(Formula which) {
    placed_[static_cast<std::size_t>(which)] = true;
    return variant_.formula(which);
  }
  Infix mapped(const char* name) {
    const Expression map = taken(Formula::feature_map);
    const auto leaf = [&](const Leaf& leaf) {
      return leaf.operation == Operation::element ? Infix{name} : bare_leaf(leaf);
    };
    return map.empty() ? Infix{name} : written(map, map.size - 1, leaf);
  }
  Infix formula(Formula which, bool without_root = false) {
    const Expression expression = taken(which);
    const Infix key = reads(expression, Operation::key) ? mapped("k_t") : Infix{};
    const auto leaf = [&](const Leaf& leaf) {
      if (leaf.operation == Operation::key) return key;
      return leaf.operation == Operation::decay ? Infix{"a_t"} : bare_leaf(leaf);
    };
    return written(expression, without_root ? expression.root().left : expression.size - 1, leaf);
  }
  std::string factor(Formula which) {
    return variant_.has(which) ? join(formula(which).within(Precedence::product), " ") : "";
  }
  std::string decay() {
    if (!variant_.has(Formula::decay)) return {};
    // exp(log(a)) reads as a.
    const bool is_logarithm = variant_.formula(Formula::decay).root().operation == Operation::log;
    decay_value_ = formula(Formula::decay, is_logarithm);
    if (!is_logarithm) decay_value_ = {join("exp(", decay_value_.text, ")")};
    const Infix shown = reads_decay_ ? Infix{"a_t"} : decay_value_;
    if (variant_.decays_by_key()) return join("Diag(", shown.text, ") ");
    return join(shown.within(Precedence::atom), " ");
  }

  const Variant& variant_;
  Bindings bindings_{};
  std::array<bool, formula_slots.size()> placed_{};
  bool reads_decay_ = false;
  Infix decay_value_{};
};

}  // namespace description

// Of the node `root`. What stands more than once comes first: "t1 = exp(x); t1 / (1 + t1)".
inline std::string to_string(Nodes nodes, int root, const InfixStyle& style) {
  Bindings bindings;
  const Infix result = InfixWriter(nodes, style, bindings).write({root}).front();
  std::string text;
  for (const auto& [name, value] : bindings.list) text += description::join(name, " = ", value, "; ");
  return text + result.text;
}
inline std::string to_string(const Expression& expression, const InfixStyle& style = description::style()) {
  return expression.empty() ? std::string() : to_string(expression, expression.size - 1, style);
}

// "S_t = Diag(exp(log_sigmoid(x) / 16)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t"
inline std::string describe(const Variant& variant) { return description::Line(variant).text(); }

}  // namespace rankone

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
    const std::string decayed = this->decayed(), write = factor(Formula::write_scale);
    key_ = variant_.has(Formula::key) ? formula(Formula::key) : mapped("k_t");
    const std::string key = key_.within(Precedence::atom), value = vector(Formula::value, Infix{"v_t"}),
                      added = join(write, key, "^T ", value);
    const bool erases = variant_.has(Formula::erase);
    std::string text = erases ? join("S' = ", decayed, "; S_t = S' - ", erased(), " + ", added)
                              : join("S_t = ", decayed, " + ", added);
    const std::string output = this->output(key, value);
    if (reads_decay_) text += join("; a_t = ", decay_value_.text);
    // A formula that this line has no place for is not left out.
    for_each_formula(variant_, [&](const Slot& slot, const Expression&) {
      if (!placed_[static_cast<std::size_t>(slot.formula)])
        text += join("; ", slot.name, "_t = ", formula(slot.formula).text);
    });
    for (const auto& [name, bound] : bindings_.list) text += join("; ", name, " = ", bound);
    return text + output;
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
    const Infix key = reads(expression, Operation::key) ? mapped("k_t") : Infix{},
                query = reads(expression, Operation::query) ? mapped("q_t") : Infix{};
    const auto leaf = [&](const Leaf& leaf) {
      switch (leaf.operation) {
        case Operation::query: return query;
        case Operation::key: return key;
        case Operation::value: return Infix{"v_t"};
        case Operation::decay: return Infix{"a_t"};
        case Operation::read: return Infix{"r_t"};
        default: return bare_leaf(leaf);
      }
    };
    return written(expression, without_root ? expression.root().left : expression.size - 1, leaf);
  }
  std::string factor(Formula which) {
    if (!variant_.has(which)) return "";
    const Infix factor = formula(which);
    return factor.text == "1" ? "" : join(factor.within(Precedence::product), " ");
  }
  // Of a slot whose rows stand for `otherwise` where there is none.
  std::string vector(Formula which, const Infix& otherwise) {
    return (variant_.has(which) ? formula(which) : otherwise).within(Precedence::atom);
  }
  const char* before() const { return variant_.reversed_ ? "S_{t+1}" : "S_{t-1}"; }

  // The state before a token, decayed.
  std::string decayed() {
    if (!variant_.has(Formula::decay)) return before();
    // exp(log(a)) reads as a.
    const bool is_logarithm = variant_.formula(Formula::decay).root().operation == Operation::log;
    decay_value_ = formula(Formula::decay, is_logarithm);
    if (!is_logarithm) decay_value_ = {join("exp(", decay_value_.text, ")")};
    const Infix shown = reads_decay_ ? Infix{"a_t"} : decay_value_;
    const bool by_key = variant_.decays_by_key(), by_value = variant_.decays_by_value();
    if (by_key && by_value) return join(shown.within(Precedence::atom), " .* ", before());
    if (by_key) return join("Diag(", shown.text, ") ", before());
    if (by_value) return join(before(), " Diag(", shown.text, ")");
    return join(shown.within(Precedence::atom), " ", before());
  }
  std::string erased() {
    const std::string scale = factor(Formula::erase), write = vector(Formula::erase_write, key_),
                      read = vector(Formula::erase_read, key_);
    return join(scale, write, "^T (", read, " ", variant_.erases_undecayed_ ? before() : "S'", ")");
  }
  std::string output(const std::string& key, const std::string& value) {
    const double scale = variant_.scale_;
    const std::string factor = scale == 0   ? "K^-0.5 "
                               : scale == 1 ? ""
                                            : join(to_string(scale), " "),
                      query = vector(Formula::query, mapped("q_t"));
    std::string state = variant_.reads_before() ? before() : "S_t";
    if (variant_.has(Formula::bonus))
      state = join("(", state, " + Diag(", formula(Formula::bonus).text, ") ", key, "^T ", value, ")");
    const std::string read = join(factor, query, " ", state);
    if (!variant_.has(Formula::output)) return join("; o_t = ", read);
    return join("; r_t = ", read, "; o_t = ", formula(Formula::output).text);
  }

  const Variant& variant_;
  Bindings bindings_{};
  std::array<bool, formula_slots.size()> placed_{};
  bool reads_decay_ = false;
  Infix decay_value_{}, key_{};
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

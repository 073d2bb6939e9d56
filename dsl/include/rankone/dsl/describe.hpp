// SPDX-License-Identifier: MIT
// Expressions and variants as text to be read by people.
#pragma once

#include <charconv>
#include <string>

#include <rankone/dsl/operations.hpp>
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

enum Precedence { sum = 1, product = 2, prefix = 3, atom = 4 };

struct Text {
  std::string text;
  int precedence = atom;
  std::string within(int least) const { return precedence < least ? join("(", text, ")") : text; }
};

inline std::string name_of_leaf(const Node& node) {
  return is_named(node.operation) ? std::string(node.name.view()) : std::string(name_of(node.operation));
}

template <class LeafText> Text write(const Expression& expression, int index, const LeafText& leaf) {
  const Node& node = expression.nodes[static_cast<std::size_t>(index)];
  if (node.operation == Operation::constant) return {to_string(node.value), node.value < 0 ? prefix : atom};
  if (operand_count(node.operation) == 0) return leaf(node);
  const std::string name(name_of(node.operation));
  const Text a = write(expression, node.left, leaf);
  if (node.operation == Operation::negate) return {join("-", a.within(prefix)), prefix};
  if (node.right < 0) return {join(name, "(", a.text, ")")};
  const Text b = write(expression, node.right, leaf);
  if (node.operation == Operation::minimum || node.operation == Operation::maximum)
    return {join(name, "(", a.text, ", ", b.text, ")")};
  const int own = node.operation == Operation::add || node.operation == Operation::subtract ? sum : product;
  // All four group to the left; on the right a sign stands in parentheses, too.
  const std::string right = b.precedence == prefix ? b.within(atom) : b.within(own + 1);
  return {join(a.within(own), " ", name, " ", right), own};
}

}  // namespace description

// With as few parentheses as the rules of arithmetic allow; inputs, parameters and scalars by their bare names.
inline std::string to_string(const Expression& expression) {
  if (expression.empty()) return {};
  const auto leaf = [](const Node& node) { return description::Text{description::name_of_leaf(node)}; };
  return description::write(expression, expression.size - 1, leaf).text;
}

// "S_t = Diag(exp(log_sigmoid(x) / 16)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t"
inline std::string describe(const Variant& variant) {
  using description::join, description::Text;
  const auto mapped = [&](const char* name) {
    const auto leaf = [&](const Node&) { return Text{name}; };
    const Expression& map = variant.feature_map_;
    return map.empty() ? Text{name} : description::write(map, map.size - 1, leaf);
  };
  const auto leaf = [&](const Node& node) {
    if (node.operation == Operation::key) return mapped("k_t");
    return Text{node.operation == Operation::decay ? "a_t" : description::name_of_leaf(node)};
  };
  const auto text = [&](const Expression& e) { return description::write(e, e.size - 1, leaf); };
  // exp(log(a)) reads as a.
  const auto decay_text = [&](const Expression& e) {
    if (e.root().operation == Operation::log) return description::write(e, e.root().left, leaf);
    return Text{join("exp(", text(e).text, ")")};
  };

  const bool per_key = variant.decay_.kind == DecayKind::per_key, names_decay = reads(variant.key_, Operation::decay);
  std::string decay, definition;
  if (variant.decay_.kind != DecayKind::none) {
    const Text value = decay_text(variant.decay_.log_decay), shown = names_decay ? Text{"a_t"} : value;
    decay = per_key ? join("Diag(", shown.text, ") ") : join(shown.within(description::atom), " ");
    if (names_decay) definition = join("; a_t = ", value.text);
  }
  std::string write, scale = "K^-0.5 ";
  if (!variant.write_scale_.empty()) write = join(text(variant.write_scale_).within(description::product), " ");
  if (variant.scale_ != 0) scale = variant.scale_ == 1 ? "" : join(to_string(variant.scale_), " ");
  const Text key = variant.key_.empty() ? mapped("k_t") : text(variant.key_);
  return join("S_t = ", decay, "S_{t-1} + ", write, key.within(description::atom), "^T v_t", definition,
              "; o_t = ", scale, mapped("q_t").within(description::atom), " S_t");
}

}  // namespace rankone

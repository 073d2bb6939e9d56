// SPDX-License-Identifier: MIT
// How a recurrence is written: as plain text, and the words that another notation has in their place.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include <rankone/dsl/infix.hpp>

namespace rankone {

// The shortest decimal that reads back as the same number.
inline std::string to_string(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

namespace description {

// Inputs, parameters and scalars by their bare names.
inline Infix bare_leaf(const Leaf& leaf) {
  if (leaf.operation == Operation::constant) return {to_string(leaf.value)};
  if (leaf.operation == Operation::keys) return {"K"};
  return {std::string(is_named(leaf.operation) ? leaf.view() : name_of(leaf.operation))};
}
inline InfixStyle style(std::function<Infix(const Leaf&)> leaf = bare_leaf) {
  return {.leaf = std::move(leaf), .function = [](Operation operation) { return std::string(name_of(operation)); }};
}

}  // namespace description

// The words around formulas, and how formulas are written among them.
struct Notation {
  InfixStyle style = description::style();
  std::string_view query = "q_t", key = "k_t", value = "v_t", decay = "a_t", read = "r_t", output = "o_t";
  std::string_view state = "S_t", decayed = "S'", before = "S_{t-1}", behind = "S_{t+1}", last = "S_{Tk}",
                   other_state = "R_t", other_decayed = "R'",
                   other_behind = "R_{t+1}";  // behind all keys; of a walk from the end
  std::string_view transposed = "^T", each = " .* ", usual_scale = "K^-0.5 ";
  Fence exponential{"exp(", ")"}, diagonal{"Diag(", ")"}, formula_name{"", "_t"}, shared_number{"t", ""};
};

}  // namespace rankone

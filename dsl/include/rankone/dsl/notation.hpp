// SPDX-License-Identifier: MIT
// How a recurrence is written: as plain text, and the words that another notation has in their place.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include <rankone/dsl/infix.hpp>
#include <rankone/dsl/slots.hpp>

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

// A state and what it was: decayed, before its token, and before it where the walk is a reversed one; and behind all keys.
struct StateWords {
  std::string_view behind_token, decayed, before, before_reversed, last;
};

// Of a token with several steps: behind one and before it, and by its number.
struct StepWords {
  std::string_view behind, before;
  Fence numbered;
};

// The words around formulas, and how formulas are written among them.
struct Notation {
  InfixStyle style = description::style();
  std::string_view query = "q_t", key = "k_t", value = "v_t", decay = "a_t", read = "r_t", normaliser = "n_t",
                   unit = "1", output = "o_t";
  StateWords state{"S_t", "S'", "S_{t-1}", "S_{t+1}", "S_{Tk}"},
      other{"R_t", "R'", "R_{t+1}", "R_{t+1}", ""},      // of a second walk, from the end
      sum{"z_t", "z'", "z_{t-1}", "z_{t+1}", "z_{Tk}"},  // of a normaliser
      scan{"c_t", "", "c_{t-1}", "c_{t+1}", ""}, first{"A_t", "A'", "A_{t-1}", "A_{t+1}", ""},  // of a chain's passes
      second{"B_t", "B'", "B_{t-1}", "B_{t+1}", ""};
  std::string_view passed = "p_t", second_decay = "b_t";
  StepWords state_of_steps{"S_{t,r}", "S_{t,r-1}", {"S_{t,", "}"}},
      sum_of_steps{"z_{t,r}", "z_{t,r-1}", {"z_{t,", "}"}};
  std::string_view step_key = "k_{t,r}", step_value = "v_{t,r}";
  std::string_view token_index{}, step_index{};  // behind an input's name
  Fence steps{", r = 1 .. ", ""};
  std::string_view transposed = "^T", each = " .* ", usual_scale = "K^-0.5 ";
  std::string_view imaginary_unit = "i ";
  Fence letter{"", ""}, name{"", ""};  // of a vector, and of a formula, before an index
  Fence exponential{"exp(", ")"}, diagonal{"Diag(", ")"}, real_part{"Re(", ")"}, formula_name{"", "_t"},
      shared_number{"t", ""};

  // In which a pass of a chain is written: what the first reads is what it passes on.
  Notation of(Stage pass) const {
    Notation words = *this;
    const bool is_first = pass == Stage::first;
    words.state = is_first ? first : second;
    if (is_first) words.output = passed;
    if (!is_first) words.decay = second_decay;
    return words;
  }
};

}  // namespace rankone

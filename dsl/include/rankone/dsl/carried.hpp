// SPDX-License-Identifier: MIT
// What a variant carries from token to token beside its K x V state: one table, from which the tensors of every pass follow.
#pragma once

#include <array>
#include <string_view>

#include <rankone/dsl/variant.hpp>

namespace rankone {

// Whether its output reads what the query reads of a value column of ones.
constexpr bool is_normalised(const Variant& variant) {
  return reads(variant.formula(Formula::output), Operation::normaliser);
}

// Whether the state is in units of the largest write scale so far, decayed.
constexpr bool has_running_max(const Variant& variant) { return variant.has(Formula::write_log_scale); }

// Whether formulas read what adds up from token to token.
constexpr bool has_scan(const Variant& variant) { return variant.has(Formula::scan); }

// For each sequence and value head. Its tensors are initial_state_NAME, final_state_NAME and so on: float32, or, where it is a
// matrix of keys and value columns, as the state's own.
struct CarriedState {
  std::string_view name;
  Axes axes;               // beside those that count states
  std::string_view holds;  // for people
  std::string_view start;  // what an absent one means
  bool has_slope;          // else no loss depends on it, nor an output
  bool (*is_in)(const Variant&);
  constexpr bool is_matrix() const { return axes.has(Axes::key) && axes.has(Axes::value); }
};
inline constexpr std::array carried_states{
    CarriedState{"sum", Axes::key, "the normaliser's sum of keys, a value column of ones", "zeros", true,
                 is_normalised},
    CarriedState{"max", Axes::none, "m: the state, and a normaliser's sum, are in units of exp(m)", "minus infinity",
                 false, has_running_max},
    CarriedState{"imaginary", Axes::key | Axes::value, "the state's imaginary part", "zeros", true,
                 [](const Variant& variant) { return variant.is_complex(); }},
    CarriedState{"scan", Axes::key, "what the scan has summed up, a number for each key, or of a chain for each slot",
                 "the scan of nothing: zeros, or minus infinity of exponentials", true, has_scan},
    CarriedState{"key", Axes::key, "the last token's written key, which the next one writes again", "zeros", true,
                 [](const Variant& variant) { return variant.writes_again(); }},
    CarriedState{"value", Axes::value, "the last token's written value", "zeros", true,
                 [](const Variant& variant) { return variant.writes_again(); }},
    CarriedState{"first", Axes::key | Axes::value, "the state of the chain's first pass", "zeros", true,
                 [](const Variant& variant) { return variant.chains_; }},
};

}  // namespace rankone

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

// For each sequence and value head, in float32. Its tensors are initial_state_NAME, final_state_NAME and so on.
struct CarriedState {
  std::string_view name;
  Axes axes;               // beside those that count states
  std::string_view holds;  // for people
  std::string_view start;  // what an absent one means
  bool (*is_in)(const Variant&);
};
inline constexpr std::array carried_states{
    CarriedState{"sum", Axes::key, "the normaliser's sum of keys, a value column of ones", "zeros", is_normalised},
};

}  // namespace rankone

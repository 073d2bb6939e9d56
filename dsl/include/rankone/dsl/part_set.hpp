// SPDX-License-Identifier: MIT
// Sets of a variant's parts: what it may have that not every kernel family has a form in chunks for.
#pragma once

#include <initializer_list>

namespace rankone {

enum class Part : unsigned char {
  features,
  feature_leaves,
  key_reduction,
  erasure,
  element_decay,
  value_decay,
  earlier_read,
  reversed_walk,
  permuted_walk,
  non_causal,
  both_directions,
  query,
  value,
  normaliser,
  running_max,
  output,
  several_steps,
  phase,
  scan,
  lagged_write,
  unread_query,
  chain
};

struct Parts {
  unsigned bits = 0;
  constexpr bool has(Part part) const { return (bits >> static_cast<unsigned>(part) & 1) != 0; }
};
constexpr Parts set_of(std::initializer_list<Part> several) {
  Parts set;
  for (const Part each : several) set.bits |= 1u << static_cast<unsigned>(each);
  return set;
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Leaves that a token's place decides, and no tensor: the oracle and the drawing of inputs ask here.
#pragma once

#include <cstdint>
#include <optional>

#include <rankone/dsl/operations.hpp>

namespace rankone {

struct TokenPlace {
  std::int64_t head = 0, heads = 1;  // the value head, HV
  std::int64_t position = 0;         // of the token in its sequence
};

// None for any other leaf.
inline std::optional<double> value_at(const TokenPlace& place, Operation leaf) {
  switch (leaf) {
    case Operation::head: return static_cast<double>(place.head);
    case Operation::heads: return static_cast<double>(place.heads);
    case Operation::position: return static_cast<double>(place.position);
    default: return std::nullopt;
  }
}

}  // namespace rankone

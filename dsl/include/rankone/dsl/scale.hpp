// SPDX-License-Identifier: MIT
// What the read is multiplied with.
#pragma once

#include <cmath>
#include <cstdint>

#include <rankone/dsl/variant.hpp>

namespace rankone {

// The call's own factor, or else (0) the variant's, or else K^-0.5.
inline double scale_of(const Variant& variant, std::int64_t key_dim, double of_call = 0) {
  if (of_call != 0) return of_call;
  return variant.scale_ != 0 ? variant.scale_ : 1 / std::sqrt(static_cast<double>(key_dim));
}

}  // namespace rankone

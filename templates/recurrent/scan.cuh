// SPDX-License-Identifier: MIT
// What adds up from token to token at one key or slot: terms, or their exponentials, whose sum is known by its logarithm.
#pragma once

#include "device/math.cuh"
#include "device/shared.cuh"
#include "device/types.cuh"

namespace rankone {

// The sum, and what its rounding took away: over many tokens that would add up.
struct Scanned {
  float value, lost;
};
template <class T> RK_DEVICE Scanned scan_of_nothing() {
  return {T::scans_exponentials ? as_float(0xff800000u) : 0.0f, 0.0f};  // -inf
}

RK_DEVICE Scanned load_scanned(int place) { return {shared_load<float>(place), shared_load<float>(place + 4)}; }
RK_DEVICE void store_scanned(int place, const Scanned& scanned) {
  shared_store<float>(place, scanned.value);
  shared_store<float>(place + 4, scanned.lost);
}

RK_DEVICE Scanned plus(const Scanned& before, float term) {
  const float sum = before.value + term, part = sum - before.value;
  const float rest = (before.value - (sum - part)) + (term - part) + before.lost;
  if (!is_finite(sum) || !is_finite(rest)) return {sum, 0.0f};  // of an infinite sum nothing is lost
  const float value = sum + rest;
  return {value, rest - (value - sum)};
}
// log(exp(c) + exp(term)) is the larger one and a little more.
template <class T> RK_DEVICE Scanned scan_next(const Scanned& before, float term) {
  if constexpr (!T::scans_exponentials) return plus(before, term);
  const float nothing = scan_of_nothing<T>().value;
  if (before.value == nothing) return {term, 0.0f};
  if (term == nothing) return before;
  const float difference = (term - before.value) - before.lost;
  return difference <= 0.0f ? plus(before, softplus(difference)) : plus({term, 0.0f}, softplus(-difference));
}

// What one of the two that a sum is made of has of its slope.
template <class T> RK_DEVICE float scan_share(float part, float sum) {
  if constexpr (!T::scans_exponentials) return 1.0f;
  return sum == scan_of_nothing<T>().value ? 0.0f : exp(part - sum);
}

}  // namespace rankone

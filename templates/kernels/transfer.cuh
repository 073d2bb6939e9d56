// SPDX-License-Identifier: MIT
// What a span of tokens does to the state before it: S = 2^d S + what the span adds.
#pragma once

#include "device/global.cuh"
#include "device/math.cuh"
#include "kernels/policy.cuh"

namespace rankone {

// Sums of log-decays over spans of tokens, a number for each state or, [states, K], for each of its keys. `Held` is
// const void where they are only read.
template <class Policy, class Held> struct DecaySums {
  using Decay = DecayTraits<Policy>;
  Held* data;

  RK_DEVICE float load(long long state, int key) const {
    return global_load<float>(global<const float>(data) + place_of(state, key));
  }
  RK_DEVICE void store(long long state, int key, float sum) const {
    global_store<float>(global<float>(data) + place_of(state, key), sum);
  }

 private:
  static RK_DEVICE long long place_of(long long state, int key) {
    return state * Decay::decays_of_token + Decay::decay_of_key(key);
  }
};

template <class Policy> struct Transfer {
  // Of an element of a state.
  static RK_DEVICE float log_decay_of(const void* sums, long long state, int element) {
    if constexpr (!DecayTraits<Policy>::decays) return 0.0f;
    const int key = Policy::value_major_state ? element % Policy::key_dim : element / Policy::value_dim;
    return DecaySums<Policy, const void>{sums}.load(state, key);
  }
  static RK_DEVICE float apply(float before, float log2_sum, float added) { return before * exp2(log2_sum) + added; }
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// What a span of tokens does to the state before it: S = 2^d S + what the span adds.
#pragma once

#include "device/global.cuh"
#include "device/math.cuh"
#include "kernels/policy.cuh"

namespace rankone {

template <class Policy> struct Transfer {
  static constexpr bool per_key = Policy::decay == DecayKind::per_key;

  // Of an element of a state, from sums of log-decays, [states] or [states, K].
  static RK_DEVICE float log_decay_of(const void* sums, long long state, int element) {
    if constexpr (Policy::decay == DecayKind::none) return 0.0f;
    const Global<const float> all = global<const float>(sums);
    const int key = Policy::value_major_state ? element % Policy::key_dim : element / Policy::value_dim;
    return global_load<float>(all + (per_key ? state * Policy::key_dim + key : state));
  }
  static RK_DEVICE float apply(float before, float log2_sum, float added) { return before * exp2(log2_sum) + added; }
};

}  // namespace rankone

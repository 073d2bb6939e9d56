// SPDX-License-Identifier: MIT
// What a state is multiplied with, token by token.
#pragma once

#include "device/math.cuh"

namespace rankone {

// 2^x, to 7e-8 of it near 1 and without a branch.
RK_DEVICE float rounded_exp2(float x) {
  const float t = x * log_of_2;
  float slope = multiply_add(t, 1.0f / 24, 1.0f / 6);
  slope = multiply_add(slope, t, 0.5f);
  slope = multiply_add(slope, t, 1.0f);
  return absolute(x) < 0.0625f ? multiply_add(slope, t, 1.0f) : exp2(x);
}

// Of a log-decay. Where the state keeps what rounding takes away, so does the factor.
template <bool compensated> RK_DEVICE Unrounded decay_factor(float log_decay) {
  if constexpr (compensated)
    return unrounded_exp2(log2_decay(log_decay));
  else
    return {rounded_exp2(log2_decay(log_decay)), 0.0f};
}

}  // namespace rankone

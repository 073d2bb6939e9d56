// SPDX-License-Identifier: MIT
// Of states in units of exp(m), m the running maximum of write scales' logarithms: what each token makes of m, and what its
// decay and its write are in the new units. Neither is above 1.
#pragma once

#include "device/math.cuh"
#include "device/shared.cuh"
#include "device/types.cuh"

namespace rankone {

// m, and what its rounding took away: over many tokens that would add up.
struct RunningMax {
  float value, lost;
};
RK_DEVICE RunningMax running_max_of_nothing() { return {as_float(0xff800000u), 0.0f}; }  // -inf

// In shared memory.
RK_DEVICE RunningMax load_max(int place) { return {shared_load<float>(place), shared_load<float>(place + 4)}; }
RK_DEVICE void store_max(int place, const RunningMax& max) {
  shared_store<float>(place, max.value);
  shared_store<float>(place + 4, max.lost);
}

struct Rescaling {
  RunningMax max;
  Unrounded decay;
  float write;
};
// A state is in units of exp(value) alone: what m has lost stays in the decay.
RK_DEVICE Rescaling rescale(float log_decay, float log_write, const RunningMax& before) {
  const float sum = before.value + log_decay, part = sum - before.value;
  float rest = (before.value - (sum - part)) + (log_decay - part);
  if (!is_finite(rest)) rest = 0.0f;  // of an infinite sum
  const float all_rest = rest + before.lost;
  RunningMax max{sum + all_rest, 0.0f};
  if (is_finite(max.value)) max.lost = all_rest - (max.value - sum);
  if (!(log_write <= max.value) && max.value == max.value) max = {log_write, 0.0f};
  // Where nothing has been written there are no units: the state is zero.
  if (max.value == running_max_of_nothing().value) return {max, {0.0f, 0.0f}, 0.0f};
  return {max, unrounded_exp2(log2_decay((sum - max.value) + rest)), exp(log_write - max.value)};
}

// exp(-m), what a 1 is in these units: from 2^-126 to 2^126, that it may be divided by.
RK_DEVICE float unit_of(const RunningMax& max) {
  constexpr float log2_of_e_low = 1.92596303e-8f, most = 126.0f;
  const float power = -max.value * log2_of_e, whole = exp2(maximum(minimum(power, most), -most));
  if (!(absolute(power) < most)) return whole;
  const float rest = multiply_add(-max.value, log2_of_e, -power) - max.value * log2_of_e_low;
  return multiply_add(whole, rest * log_of_2, whole);
}

}  // namespace rankone

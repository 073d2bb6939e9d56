// SPDX-License-Identifier: MIT
// Joins two spans of a sequence: the state after both from the state after each and the second one's summed log-decay.
#pragma once

#include "device/global.cuh"
#include "device/math.cuh"
#include "kernels/policy.cuh"

namespace rankone {

// final_state (of the second span, in and out) += exp(log_decay_total) * initial_state (of the first). One block a
// (sequence, head).
template <class Policy>
RK_DEVICE void combine(const Arguments& arguments) {
  constexpr int keys = Policy::key_dim, values = Policy::value_dim;
  const long long matrix = block_index();
  const Global<float> state = global<float>(arguments.final_state) + matrix * keys * values;
  const Global<const float> earlier = global<const float>(arguments.initial_state) + matrix * keys * values;
  const Global<const float> totals = global<const float>(arguments.log_decay_total);
  for (int i = thread_index(); i < keys * values; i += combine_threads) {
    float log_decay = 0.0f;
    if constexpr (Policy::decay == DecayKind::per_key) {
      log_decay = global_load<float>(totals + (matrix * keys + (Policy::value_major_state ? i % keys : i / values)));
    } else if constexpr (Policy::decay != DecayKind::none) {
      log_decay = global_load<float>(totals + matrix);
    }
    const float added = exp2(log2_decay(log_decay)) * global_load<float>(earlier + i);
    global_store<float>(state + i, global_load<float>(state + i) + added);
  }
}

}  // namespace rankone

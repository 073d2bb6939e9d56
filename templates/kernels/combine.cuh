// SPDX-License-Identifier: MIT
// Joins two spans of a sequence: the state after both from the state after each and the second one's summed log-decay.
#pragma once

#include "device/math.cuh"
#include "kernels/states.cuh"
#include "kernels/transfer.cuh"

namespace rankone {

// final_state (of the second span, in and out) += exp(log_decay_total) * initial_state (of the first). One block a
// (sequence, head).
template <class Policy> RK_DEVICE void combine(const Arguments& arguments) {
  constexpr int keys = Policy::key_dim, values = Policy::value_dim;
  const long long matrix = block_index();
  const long long sequence = matrix / arguments.value_heads;
  const int head = static_cast<int>(matrix % arguments.value_heads);
  const States<Policy, const void> earlier{port<Policy>(arguments, Policy::Ports::initial_state).data,
                                           arguments.value_heads};
  const States<Policy, void> state{port<Policy>(arguments, Policy::Ports::final_state).data, arguments.value_heads};
  const long long from = earlier.first(sequence, head), to = state.first(sequence, head);
  const void* const sums = port<Policy>(arguments, Policy::Ports::log_decay_total).data;
  for (int i = thread_index(); i < keys * values; i += combine_threads) {
    const float log_sum = Transfer<Policy>::log_decay_of(sums, matrix, i);
    state.store(to + i, Transfer<Policy>::apply(earlier.load(from + i), log2_decay(log_sum), state.load(to + i)));
  }
}

}  // namespace rankone

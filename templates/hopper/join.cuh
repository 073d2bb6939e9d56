// SPDX-License-Identifier: MIT
// Between the two passes of a split sequence: from what each segment adds to the state before each segment, or, in the
// state-only pass, to the one behind the last.
#pragma once

#include "device/global.cuh"
#include "hopper/segments.cuh"
#include "kernels/states.cuh"
#include "kernels/transfer.cuh"

namespace rankone {

// The state behind the last segment, and its sum of log-decays by those who have the first value column.
template <class Policy>
RK_DEVICE void store_joined(const Arguments& arguments, long long sequence, int head, int first, const Vector16& state,
                            const float (&sums)[4]) {
  constexpr int keys = Policy::key_dim, values = Policy::value_dim;
  const States<Policy, void> final_state{port<Policy>(arguments, Policy::Ports::final_state).data,
                                         arguments.value_heads};
  const long long matrix = sequence * arguments.value_heads + head;
  const DecaySums<Policy, void> totals{port<Policy>(arguments, Policy::Ports::log_decay_total).data};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int element = first + i, key = Policy::value_major_state ? element % keys : element / values,
              value = Policy::value_major_state ? element / keys : element % values;
    if (final_state.exists(sequence))
      final_state.store(final_state.first(sequence, head) + element, as_float(state.word[i]));
    const bool is_first = value == 0 && DecayTraits<Policy>::decay_of_key(key) == key;  // of those who share the sum
    if (totals.data != nullptr && is_first) totals.store(matrix, key, sums[i] * log_of_2);
  }
}

// Four elements of the state of one (sequence, head) a thread: it walks the segments. A slot holds what its segment
// adds, and then the state before it.
template <class Policy> RK_DEVICE void join(const Arguments& arguments) {
  constexpr int elements = Policy::key_dim * Policy::value_dim, per_block = 4 * join_threads;
  constexpr int parts = (elements + per_block - 1) / per_block;
  const int first = static_cast<int>(block_index() % parts) * per_block + 4 * thread_index();
  const long long matrix = block_index() / parts, sequence = matrix / arguments.value_heads;
  const int head = static_cast<int>(matrix % arguments.value_heads);
  if (first >= elements) return;  // a multiple of 4: K and V are even
  Work work;
  place_sequence<Policy>(arguments, sequence, arguments.segment_tokens, work);
  const long long segments = segments_of(work.length, arguments.segment_tokens);
  Vector16 state{};
  const States<Policy, const void> initial{port<Policy>(arguments, Policy::Ports::initial_state).data,
                                           arguments.value_heads};
  if (initial.exists(sequence)) {
    const long long element = initial.first(sequence, head) + first;
#pragma unroll
    for (int i = 0; i < 4; ++i) state.word[i] = as_bits(initial.load(element + i));
  }
  const auto slot = [&](long long segment) { return (work.first_slot + segment) * arguments.value_heads + head; };
  const auto place = [&](long long segment) {
    return global<float>(arguments.segment_states) + slot(segment) * elements + first;
  };
  constexpr int unread = Policy::state_only ? 0 : 1;  // of the last segment nobody asks what it adds
  float sums[4] = {};
  Vector16 added{};
  if (segments > unread) added = global_load<Vector16>(place(0));
#pragma unroll 1
  for (long long segment = 0; segment < segments; ++segment) {
    Vector16 next{};
    if (segment + 1 + unread < segments) next = global_load<Vector16>(place(segment + 1));
    if constexpr (!Policy::state_only) global_store<Vector16>(place(segment), state);
    if (segment + unread < segments) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float log_decay = Transfer<Policy>::log_decay_of(arguments.segment_decays, slot(segment), first + i);
        if constexpr (Policy::state_only) sums[i] += log_decay;
        state.word[i] = as_bits(Transfer<Policy>::apply(as_float(state.word[i]), log_decay, as_float(added.word[i])));
      }
    }
    added = next;
  }
  if constexpr (Policy::state_only) store_joined<Policy>(arguments, sequence, head, first, state, sums);
}

}  // namespace rankone

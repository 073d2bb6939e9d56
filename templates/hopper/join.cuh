// SPDX-License-Identifier: MIT
// Between the two passes of a split sequence: from what each segment adds to the state before each segment, or, in the
// state-only pass, to the one behind the last.
#pragma once

#include "device/global.cuh"
#include "hopper/segments.cuh"

namespace rankone {

// The state behind the last segment, and its sum of log-decays by those who have the first value column.
template <class Policy>
RK_DEVICE void store_joined(const Arguments& arguments, long long matrix, int first, const Vector16& state,
                            const float (&sums)[4]) {
  constexpr int keys = Policy::key_dim, values = Policy::value_dim;
  constexpr bool per_key = Policy::decay == DecayKind::per_key;
  constexpr float ln_2 = 0.69314718f;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int element = first + i, key = Policy::value_major_state ? element % keys : element / values,
              value = Policy::value_major_state ? element / keys : element % values;
    if (arguments.final_state != nullptr)
      global_store<float>(global<float>(arguments.final_state) + (matrix * keys * values + element),
                          as_float(state.word[i]));
    if (arguments.log_decay_total != nullptr && value == 0 && (per_key || key == 0))
      global_store<float>(global<float>(arguments.log_decay_total) + (per_key ? matrix * keys + key : matrix),
                          sums[i] * ln_2);
  }
}

// Four elements of the state of one (sequence, head) a thread: it walks the segments. A slot holds what its segment
// adds, and then the state before it.
template <class Policy> RK_DEVICE void join(const Arguments& arguments) {
  constexpr int elements = Policy::key_dim * Policy::value_dim, per_block = 4 * join_threads;
  constexpr int parts = (elements + per_block - 1) / per_block;
  const int first = static_cast<int>(block_index() % parts) * per_block + 4 * thread_index();
  const long long matrix = block_index() / parts, sequence = matrix / arguments.value_heads,
                  head = matrix % arguments.value_heads;
  if (first >= elements) return;  // a multiple of 4: K and V are multiples of 16
  Work work;
  place_sequence(arguments, sequence, arguments.segment_tokens, work);
  const long long segments = segments_of(work.length, arguments.segment_tokens);
  Vector16 state{};
  if (arguments.initial_state != nullptr) {
    state = global_load<Vector16>(global<const float>(arguments.initial_state) + matrix * elements + first);
  }
  const auto slot = [&](long long segment) { return (work.first_slot + segment) * arguments.value_heads + head; };
  const Global<const float> decays = global<const float>(arguments.segment_decays);
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
        float log_decay = 0.0f;
        if constexpr (Policy::decay == DecayKind::per_key) {
          const int key = Policy::value_major_state ? (first + i) % Policy::key_dim : (first + i) / Policy::value_dim;
          log_decay = global_load<float>(decays + (slot(segment) * Policy::key_dim + key));
        } else if constexpr (Policy::decay != DecayKind::none) {
          log_decay = global_load<float>(decays + slot(segment));
        }
        if constexpr (Policy::state_only) sums[i] += log_decay;
        state.word[i] = as_bits(as_float(state.word[i]) * exp2(log_decay) + as_float(added.word[i]));
      }
    }
    added = next;
  }
  if constexpr (Policy::state_only) store_joined<Policy>(arguments, matrix, first, state, sums);
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Between the two passes of a split sequence: from what each segment adds to the state before each segment.
#pragma once

#include "device/global.cuh"
#include "hopper/segments.cuh"

namespace rankone {

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
  const long long segments = segments_of(arguments, work.length);
  Vector16 state{};
  if (arguments.initial_state != nullptr) {
    state = global_load<Vector16>(global<const float>(arguments.initial_state) + matrix * elements + first);
  }
  const auto slot = [&](long long segment) { return (work.first_slot + segment) * arguments.value_heads + head; };
  const Global<const float> decays = global<const float>(arguments.segment_decays);
  const auto place = [&](long long segment) {
    return global<float>(arguments.chunk_states) + slot(segment) * elements + first;
  };
  Vector16 added{};
  if (segments > 1) added = global_load<Vector16>(place(0));
#pragma unroll 1
  for (long long segment = 0; segment < segments; ++segment) {
    Vector16 next{};
    if (segment + 2 < segments) next = global_load<Vector16>(place(segment + 1));
    global_store<Vector16>(place(segment), state);
    if (segment + 1 < segments) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float log_decay = 0.0f;
        if constexpr (Policy::decay == DecayKind::per_key) {
          const int key = Policy::value_major_state ? (first + i) % Policy::key_dim : (first + i) / Policy::value_dim;
          log_decay = global_load<float>(decays + (slot(segment) * Policy::key_dim + key));
        } else if constexpr (Policy::decay != DecayKind::none) {
          log_decay = global_load<float>(decays + slot(segment));
        }
        state.word[i] = as_bits(as_float(state.word[i]) * exp2(log_decay) + as_float(added.word[i]));
      }
    }
    added = next;
  }
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// A normaliser's sum of keys: where it stands, and how an output's formula reads it.
#pragma once

#include "kernels/gates.cuh"
#include "kernels/sum_layout.cuh"

namespace rankone {

template <class Traits>
inline constexpr SumLayout sum_layout = make_sum_layout(Traits::layout.bytes, Traits::chunk, Traits::key_padded);

// What an output's formula sees.
template <class Traits> struct NormalisedAt : ChunkAt<Traits> {
  float normaliser_value;
  RK_DEVICE explicit NormalisedAt(const ChunkAt<Traits>& at)
      : ChunkAt<Traits>(at), normaliser_value(shared_load<float>(sum_layout<Traits>.reads + at.row * 4)) {}
  RK_DEVICE float normaliser() const { return normaliser_value; }
};

// Each thread keeps the sum of some pairs of keys, float32, where it alone looks from chunk to chunk.
template <class Traits, class Visit> RK_DEVICE void for_own_keys(const Visit& visit) {
  for (int key = 2 * thread_index(); key < Traits::key_padded; key += 2 * Traits::threads) {
    visit(key, sum_layout<Traits>.sum + key * 4);
    visit(key + 1, sum_layout<Traits>.sum + (key + 1) * 4);
  }
}

// Of the caller's tensors, [N, HV, K].
template <class Traits> RK_DEVICE void load_initial_sum(const Arguments& arguments, const Work& work) {
  const void* const given = port<Traits>(arguments, Traits::Ports::initial_state_sum).data;
  const long long row = row_of_head(arguments, work, work.sequence, Traits::key_dim);
  for_own_keys<Traits>([&](int key, int place) {
    float sum = 0.0f;
    if (given != nullptr && key < Traits::key_dim) sum = global_load<float>(global<const float>(given) + (row + key));
    shared_store<float>(place, sum);
  });
}
template <class Traits> RK_DEVICE void store_final_sum(const Arguments& arguments, const Work& work) {
  void* const wanted = port<Traits>(arguments, Traits::Ports::final_state_sum).data;
  if (wanted == nullptr || work.value_tile != 0) return;
  const long long row = row_of_head(arguments, work, work.sequence, Traits::key_dim);
  for_own_keys<Traits>([&](int key, int place) {
    if (key < Traits::key_dim) global_store<float>(global<float>(wanted) + (row + key), shared_load<float>(place));
  });
}

// Of the workspace, beside the state of a slot.
template <class Traits>
RK_DEVICE Global<float> sum_of_slot(const Arguments& arguments, const Work& work, long long slot) {
  return global<float>(arguments.segment_states) + row_of_head(arguments, work, slot, Traits::key_padded);
}
template <class Traits> RK_DEVICE void save_sum(const Arguments& arguments, const Work& work, long long slot) {
  const Global<float> target = sum_of_slot<Traits>(arguments, work, slot);
  for_own_keys<Traits>([&](int key, int place) { global_store<float>(target + key, shared_load<float>(place)); });
}
template <class Traits> RK_DEVICE void restore_sum(const Arguments& arguments, const Work& work, long long slot) {
  const Global<float> source = sum_of_slot<Traits>(arguments, work, slot);
  for_own_keys<Traits>([&](int key, int place) { shared_store<float>(place, global_load<float>(source + key)); });
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The forward pass of the Hopper family (sm_90a): one read of the inputs, one write of the output, the state in
// registers.
//
// A block's warpgroups walk the same chunks, each a stage behind the one before:
//   loader   copies q, k, v and gate inputs into swizzled panels
//   helpers  turn gates into decays, q and k into operands, and compute the causal scores
//   state    64 value columns each: reads the state, writes the output, advances the state
// In a prepared schedule the helpers have a kernel of their own, with a loader, and the scan reads what they left.
#pragma once

#include "hopper/key_gates.cuh"
#include "hopper/loader.cuh"
#include "hopper/state.cuh"
#include "hopper/token_gates.cuh"

namespace rankone {

template <class T> RK_DEVICE void load(const Arguments& arguments) {
  Loader<T> loader;
  loader.prefetch_maps(arguments);
#pragma unroll 1
  while (loader.behind >= 0) loader.issue(arguments);
}

template <class T, class Gate> RK_DEVICE void help(const Arguments& arguments, int thread) {
  const int warp = thread / warp_size;
  Ring<T> ring;
  float total = 0.0f;  // of a segment's log-decays, in the state-only role
  [[maybe_unused]] const Halving halving;
#pragma unroll 1
  for (;; ring.advance()) {
    barrier_wait(ring.full(), ring.phase);
    if constexpr (!T::per_key && T::rewrites) fence_async();   // kept: rewriting fences once more
    if constexpr (!T::per_key && !T::rewrites) fence_async();  // wgmma reads what was copied
    const Note note = Note::read(ring.note());
    const PanelPlace<T> place(arguments, note, ring.base());
    if constexpr (T::role == Role::states) {
      if (note.first_token == 0) {
        total = 0.0f;
        if constexpr (T::per_key) KeyTotals<T>::clear(warp);
      }
    }
    if (note.rows > 0) {
      if constexpr (T::per_key) {
        write_key_chunk<T, Gate>(place, warp, halving);
      } else {
        if constexpr (T::rewrites) rewrite_chunk<T, Gate>(place, thread);
        write_token_chunk<T, Gate>(place, warp, total);
      }
      fence_async();
    }
    if constexpr (T::role == Role::states) {  // before the stage is given on, and with it the item's record
      if (note.last && note.item.offset != 0) {
        if constexpr (T::per_key) {
          KeyTotals<T>::store(arguments, note.item, thread);
        } else if (thread == 0 && note.item.value_column() == 0) {
          global_store<float>(global<float>(arguments.segment_decays) +
                                  (note.item.slot() * arguments.value_heads + note.item.head()),
                              total);
        }
      }
    }
    if constexpr (T::role == Role::prepare)
      store_image(arguments, note, ring, thread);
    else if constexpr (T::cluster > 1)
      give_part<T>(ring.base(), ring.ready(), note.rows, thread);
    else
      barrier_arrive(ring.ready());
    if (note.item.offset == 0) return;
    if constexpr (T::weighted && !T::per_key) sync_warp();  // kept: its own room is free; a rewrite has a barrier, too
  }
}

template <class T, int share> RK_DEVICE void set_registers() {
  if constexpr (share != 0 && share < T::launched_registers) release_registers<share>();
  if constexpr (share > T::launched_registers) claim_registers<share>();
}

template <class Policy, class Gate, Role role> RK_DEVICE void hopper_forward(const Arguments& arguments) {
  using T = HopperTraits<Policy, role>;
  if (thread_index() == 0) {
    Ring<T> ring;
    for (int stage = 0; stage < T::stages; ++stage) {
      barrier_init(ring.full(), 2 * group_threads);  // every thread arrives, and so do its copies
      if constexpr (T::has_helpers && T::has_states) barrier_init(ring.ready(), group_threads + T::cluster - 1);
      // Every thread arrives, and of the cluster's other blocks a lane of each warp.
      const int users = T::layout.state_groups * (group_threads + 4 * (T::cluster - 1));
      barrier_init(ring.free(), T::has_states ? users : Image<T>::pieces);
      ring.advance();
    }
    if constexpr (T::cluster > 1) fence_async();  // kept: other blocks' copies see barriers as wgmma would
  }
  if constexpr (T::cluster > 1)
    sync_cluster();
  else
    sync_block();
  const int group = thread_index() / group_threads;
  if (group == 0) {
    set_registers<T, T::registers.loader>();
    load<T>(arguments);
  } else if (T::has_helpers && group == 1) {
    if constexpr (T::has_helpers) {
      set_registers<T, T::registers.helper>();
      help<T, Gate>(arguments, thread_index() - group_threads);
    }
  } else if constexpr (T::has_states) {
    set_registers<T, T::registers.state>();
    StateGroup<T>{}.run(arguments);
  }
  if constexpr (T::cluster > 1) sync_cluster();  // nobody leaves while others send to it
}

}  // namespace rankone

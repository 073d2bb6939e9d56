// SPDX-License-Identifier: MIT
// The forward pass of the Hopper family (sm_90a): one read of the inputs, one write of the output, the state in registers.
//
// A block's warpgroups walk the same chunks, each a stage behind the one before:
//   loader   copies q, k, v and gate inputs into swizzled panels
//   helpers  turn gates into decays, q and k into operands, and compute the causal scores
//   state    64 value columns each: reads the state, writes the output, advances the state
#pragma once

#include "hopper/key_gates.cuh"
#include "hopper/loader.cuh"
#include "hopper/state.cuh"
#include "hopper/token_gates.cuh"

namespace rankone {

template <class T, class Gate>
struct Helper {
  Ring<T> ring;

  RK_DEVICE void run(const Arguments& arguments) {
    const int thread = thread_index() - group_threads, warp = thread / warp_size;
    for_each_item<T>(arguments, [&](const Work& work) {
      const long long chunks = chunks_of<T>(work);
      const auto place_of = [&](long long chunk) {
        return PanelPlace<T>{arguments, work, ring.base(), chunk * T::chunk, rows_of<T>(work, chunk)};
      };
      TokenDecays<T, Gate> decays;
      if constexpr (!T::per_key && T::weighted) {
        if (chunks > 0) decays.evaluate(place_of(0));
      }
#pragma unroll 1
      for (long long chunk = 0; chunk < chunks; ++chunk) {
        const PanelPlace<T> place = place_of(chunk);
        barrier_wait(ring.full(), ring.phase);
        if constexpr (T::per_key) {
          write_key_chunk<T, Gate>(place, warp);
        } else {
          if constexpr (T::rewrites) rewrite_chunk<T, Gate>(place, thread);
          write_token_chunk<T, Gate>(place, decays, warp);
        }
        fence_async();
        sync_warp();
        if (lane_index() == 0) barrier_arrive(ring.ready());
        ring.advance();
        // The next chunk's token inputs come from global memory: asked for as early as they can be.
        if constexpr (!T::per_key && T::weighted) {
          if (chunk + 1 < chunks) decays.evaluate(place_of(chunk + 1));
        }
      }
    });
  }
};

template <class Policy, class Gate, Role role>
RK_DEVICE void hopper_forward(const Arguments& arguments) {
  using T = HopperTraits<Policy, role>;
  if (thread_index() == 0) {
    Ring<T> ring;
    for (int stage = 0; stage < T::stages; ++stage) {
      barrier_init(ring.full(), group_threads);
      barrier_init(ring.ready(), T::helper_warps);
      barrier_init(ring.free(), T::state_warps);
      ring.advance();
    }
  }
  sync_block();
  const int group = thread_index() / group_threads;
  if (group == 0) {
    release_registers<T::registers.loader>();
    Loader<T>{}.run(arguments);
  } else if (group <= T::layout.helper_groups) {
    if constexpr (T::registers.helper < T::launched_registers) release_registers<T::registers.helper>();
    else claim_registers<T::registers.helper>();
    Helper<T, Gate>{}.run(arguments);
  } else {
    claim_registers<T::registers.state>();
    StateGroup<T>{}.run(arguments);
  }
}

}  // namespace rankone

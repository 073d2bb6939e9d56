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

// The helpers of per-key decays.
template <class T, class Gate>
RK_DEVICE void help_keys(const Arguments& arguments, int thread) {
  const int warp = thread / warp_size;
  Ring<T> ring;
  for_each_item<T>(arguments, [&](const Item& work) {
    const int chunks = chunks_of<T>(work);
    if constexpr (T::role == Role::states) KeyTotals<T>::clear(warp);
#pragma unroll 1
    for (int chunk = 0; chunk < chunks; ++chunk) {
      barrier_wait(ring.full(), ring.phase);
      write_key_chunk<T, Gate>({arguments, work, ring.base(), static_cast<long long>(chunk) * T::chunk, rows_of<T>(work, chunk)}, warp);
      fence_async();
      barrier_arrive(ring.ready());
      ring.advance();
    }
    if constexpr (T::role == Role::states) KeyTotals<T>::store(arguments, work, thread);
  });
}

// The helpers of decays of one number a token.
template <class T, class Gate>
RK_DEVICE void help_tokens(const Arguments& arguments, int thread) {
  const int warp = thread / warp_size;
  Ring<T> ring;
  for_each_item<T>(arguments, [&](const Item& work) {
    const int chunks = chunks_of<T>(work);
    const auto place_of = [&](int chunk) {
      return PanelPlace<T>{arguments, work, ring.base(), static_cast<long long>(chunk) * T::chunk, rows_of<T>(work, chunk)};
    };
    TokenDecays<T, Gate> decays;
    float total = 0.0f;
    if constexpr (T::weighted) {
      if (chunks > 0) {
        decays.fetch(place_of(0));
        decays.evaluate(place_of(0));
      }
    }
#pragma unroll 1
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const PanelPlace<T> place = place_of(chunk), next = place_of(chunk + 1);
      if constexpr (T::weighted) {
        if (chunk + 1 < chunks) decays.fetch(next);
      }
      barrier_wait(ring.full(), ring.phase);
      if constexpr (T::rewrites) rewrite_chunk<T, Gate>(place, thread);
      write_token_chunk<T, Gate>(place, decays, warp);
      fence_async();
      barrier_arrive(ring.ready());
      if constexpr (T::weighted) sync_warp();  // kept: free again is the warp's own room; a rewrite has a barrier, too
      ring.advance();
      if constexpr (T::weighted) {
        if constexpr (T::role == Role::states) {
          const Exponent end = decays.end();
          total += end.whole + end.fraction;
        }
        if (chunk + 1 < chunks) decays.evaluate(next);
      }
    }
    if constexpr (T::role == Role::states) {
      if (thread == 0 && work.value_tile == 0) {
        arguments.segment_decays[work.slot * arguments.value_heads + work.head] = total;
      }
    }
  });
}

template <class Policy, class Gate, Role role>
RK_DEVICE void hopper_forward(const Arguments& arguments) {
  using T = HopperTraits<Policy, role>;
  if (thread_index() == 0) {
    Ring<T> ring;
    for (int stage = 0; stage < T::stages; ++stage) {
      barrier_init(ring.full(), group_threads);
      barrier_init(ring.ready(), T::helper_threads);
      barrier_init(ring.free(), T::layout.state_groups * group_threads);
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
    if constexpr (T::registers.helper > T::launched_registers) claim_registers<T::registers.helper>();
    const int thread = thread_index() - group_threads;
    if constexpr (T::per_key) help_keys<T, Gate>(arguments, thread);
    else help_tokens<T, Gate>(arguments, thread);
  } else {
    if constexpr (T::registers.state < T::launched_registers) release_registers<T::registers.state>();
    if constexpr (T::registers.state > T::launched_registers) claim_registers<T::registers.state>();
    StateGroup<T>{}.run(arguments);
  }
}

}  // namespace rankone

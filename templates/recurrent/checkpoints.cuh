// SPDX-License-Identifier: MIT
// Of the recurrent family's backward pass: the state before each run of tokens, in the workspace.
#pragma once

#include "recurrent/backward_policy.cuh"
#include "recurrent/step.cuh"

namespace rankone {

template <class Policy, class Gate> RK_DEVICE void recurrent_checkpoints(const Arguments& arguments) {
  using T = RecurrentTraits<Policy>;
  using Back = BackwardTraits<Policy>;
  Work work;
  place_sequence<T>(arguments, place_tile<T>(arguments, block_index(), work), run_tokens, work);
  RegisterMatrix<T, Gate> state(arguments, work);
  const States<T, const void> before{port<T>(arguments, initial_state_port<T>()).data, arguments.value_heads};
  load_state(state, before, work.sequence, is_vectorized(arguments, initial_state_port<T>()) != 0);
  if constexpr (T::has_normaliser)
    load_state_sum(state, port<T>(arguments, T::Ports::initial_state_sum).data, work.sequence);
  if constexpr (T::has_phase) load_imaginary(state, T::Ports::initial_state_imaginary);
  const States<InWorkspace<T>, void> checkpoints{Back::run_states(arguments), arguments.value_heads};
  Tokens<T, Gate> tokens(arguments, work);
  if constexpr (T::has_running_max)
    load_state_max(tokens, port<T>(arguments, T::Ports::initial_state_max).data, work.sequence);
  if constexpr (T::has_scan)
    load_state_scan(tokens, port<T>(arguments, T::Ports::initial_state_scan).data, work.sequence);
  if constexpr (T::has_lagged_scale) load_initial_last(tokens);
  constexpr int run_length = run_tokens * T::token_steps;
  const long long length = work.length * T::token_steps;
#pragma unroll 1
  for (long long index = 0; index < length; ++index) {
    if (index % run_length == 0) {
      store_state(state, checkpoints, work.first_slot + index / run_length, true);
      if constexpr (T::has_normaliser)
        store_state_sum(state, arguments.segment_states, work.first_slot + index / run_length);
      if constexpr (T::has_phase) {
        const States<InWorkspace<T>, void> imaginary{arguments.segment_states, arguments.value_heads};
        store_state<Plane::imaginary>(state, imaginary, work.first_slot + index / run_length, true);
      }
      if constexpr (T::has_running_max) store_checkpoint_max(tokens, index / run_length);
      if constexpr (T::has_scan) store_checkpoint_scan(tokens, index / run_length);
      if (index + run_length >= length) break;  // of the last run nothing more is wanted
    }
    const int half = (index & 1) != 0 ? T::layout.half_bytes : 0;
    tokens.arrive(index, index, length - index);
    tokens.evaluate(index, half);
    sync_block();  // the token's rows and columns
    if constexpr (T::has_running_max) tokens.pass_max(half);
    advance<T, Gate>(state, work, index, half);
  }
}

}  // namespace rankone

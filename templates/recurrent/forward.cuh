// SPDX-License-Identifier: MIT
// The forward pass of the recurrent family (sm_80 and later), token by token: for everything that can be declared.
//
// A block walks one sequence, value head and tile of value columns with its part of the state in registers.
#pragma once

#include "recurrent/walk.cuh"

namespace rankone {

// What each token reads, and no state that a call goes on from.
template <class T, class Gate> RK_DEVICE void walk_for_reads(const Arguments& arguments) {
  Work work;
  place_sequence<T>(arguments, place_tile<T>(arguments, block_index(), work), 1, work);
  Tokens<T, Gate> tokens(arguments, work);
  RegisterMatrix<T, Gate> state(arguments, work);
  begin_walk(arguments, work, tokens, state);
  walk_tokens(arguments, work, tokens, state, [](long long) {});
}

template <class Policy, class Gate> RK_DEVICE void recurrent_forward(const Arguments& arguments) {
  using T = RecurrentTraits<Policy>;
  Work work;
  place_sequence<T>(arguments, place_tile<T>(arguments, block_index(), work), 1, work);
  Tokens<T, Gate> tokens(arguments, work);
  RegisterMatrix<T, Gate> state(arguments, work);
  begin_walk(arguments, work, tokens, state);
  walk_tokens(arguments, work, tokens, state, [](long long) {});
  const States<T, void> after{port<T>(arguments, final_state_port<T>()).data, arguments.value_heads};
  store_state(state, after, work.sequence, is_vectorized(arguments, final_state_port<T>()) != 0);
  if constexpr (T::has_normaliser)
    store_state_sum(state, port<T>(arguments, T::Ports::final_state_sum).data, work.sequence);
  if constexpr (T::has_phase) store_imaginary(state, T::Ports::final_state_imaginary);
  if constexpr (T::has_lagged_scale) store_final_last(tokens);
  if constexpr (T::has_running_max)
    store_state_max(tokens, port<T>(arguments, T::Ports::final_state_max).data, work.sequence);
  if constexpr (T::has_scan && !T::is_first_pass)
    store_state_scan(tokens, port<T>(arguments, T::Ports::final_state_scan).data, work.sequence);
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The forward pass of non-causal variants: a block walks the keys of a sequence, which it writes to its part of the state, and
// then the queries, all of which read that.
#pragma once

#include "recurrent/sides.cuh"
#include "recurrent/walk.cuh"

namespace rankone {

template <class T, class Gate>
RK_DEVICE void write_keys(const Arguments& arguments, const Work& work, RegisterMatrix<T, Gate>& state) {
  Tokens<T, Gate> tokens(arguments, work);
  if (work.length > 0) tokens.begin(0);
#pragma unroll 1
  for (long long index = 0; index < work.length; ++index) {
    const int half = (index & 1) != 0 ? T::layout.half_bytes : 0;
    tokens.arrive(index, index, work.length - index);
    tokens.evaluate(index, half);
    sync_block();  // the key's row and columns
    advance<T, Gate>(state, work, index, half);
  }
}

template <class T, class Gate, class Matrix>
RK_DEVICE void read_queries(const Arguments& arguments, const Work& work, const Matrix& state) {
  Tokens<T, Gate> tokens(arguments, work);
  if (work.length > 0) tokens.begin(0);
#pragma unroll 1
  for (long long index = 0; index < work.length; ++index) {
    const int half = (index & 1) != 0 ? T::layout.half_bytes : 0;
    tokens.arrive(index, index, work.length - index);
    tokens.evaluate(index, half);
    sync_block();  // the query's row
    store_column_sums<T>(half + T::layout.read, state.project(half + T::layout.query), state.first_column);
    sync_block();  // what all keys have of the read
    write_output<T, Gate>(tokens, arguments, work, index, half);
  }
}

template <class Policy, class Gate> RK_DEVICE void non_causal_forward(const Arguments& arguments) {
  using T = RecurrentTraits<Policy>;
  Work queries;
  place_sequence<T>(arguments, place_tile<T>(arguments, block_index(), queries), 1, queries);
  const Work keys = keys_of<T>(arguments, queries);
  RegisterMatrix<KeySide<T>, Gate> state(arguments, keys);
  const States<T, const void> before{port<T>(arguments, T::Ports::initial_state).data, arguments.value_heads};
  load_state(state, before, keys.sequence, is_vectorized(arguments, T::Ports::initial_state) != 0);
  if constexpr (T::has_normaliser)
    load_state_sum(state, port<T>(arguments, T::Ports::initial_state_sum).data, keys.sequence);
  write_keys<KeySide<T>, Gate>(arguments, keys, state);
  read_queries<QuerySide<T>, Gate>(arguments, queries, state);
  const States<T, void> after{port<T>(arguments, T::Ports::final_state).data, arguments.value_heads};
  store_state(state, after, keys.sequence, is_vectorized(arguments, T::Ports::final_state) != 0);
  if constexpr (T::has_normaliser)
    store_state_sum(state, port<T>(arguments, T::Ports::final_state_sum).data, keys.sequence);
}

}  // namespace rankone

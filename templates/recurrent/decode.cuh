// SPDX-License-Identifier: MIT
// Decoding (sm_80 and later): a few tokens of each row, from the slot of a pool that its state stands in to the slot where
// it goes.
//
// The state is read once and written once, and little else is: a block has a row, a value head and a tile of value
// columns, and its loads of the state are under way while it computes with the first token's gates.
#pragma once

#include "recurrent/walk.cuh"

namespace rankone {

// Rows of the tensors are sequences, all of one length.
template <class T> RK_DEVICE void place_row(const Arguments& arguments, Work& work) {
  work.sequence = work.batch = place_columns<T, long long>(arguments, block_index(), work);
  work.start = work.first_slot = 0;
  work.length = arguments.tokens;
  work.position = start_position<T>(arguments, work.sequence);
}

template <class Policy, class Gate> RK_DEVICE void recurrent_decode(const Arguments& arguments) {
  using T = RecurrentTraits<Policy>;
  Work work;
  place_row<T>(arguments, work);
  // The caller's numbers: those that name no slot leave the row alone.
  const TensorArgument& pool = port<T>(arguments, T::Ports::state);
  const auto slots = [&](int indices) {
    return StateSlots{port<T>(arguments, indices).data, pool.batch_stride, T::key_dim * T::value_dim,
                      arguments.state_slots};
  };
  const States<T, const void> before{pool.data, arguments.value_heads, slots(T::Ports::state_read)};
  const States<T, void> after{pool.data, arguments.value_heads, slots(T::Ports::state_write)};
  const bool is_read = before.exists(work.sequence), is_written = after.exists(work.sequence);
  const long long from = before.first(work.sequence, work.head), to = after.first(work.sequence, work.head);
  Tokens<T, Gate> tokens(arguments, work);
  tokens.fetch(0);
  if (!is_read || !is_written) return;
  const bool aligned = is_vectorized(arguments, T::Ports::state) != 0;
  RegisterMatrix<T, Gate> state(arguments, work);
  state.load(before, from, aligned);
  const TensorArgument& kept = port<T>(arguments, T::Ports::token_states);
  walk_tokens(arguments, work, tokens, state, [&](long long index) {
    if (kept.data == nullptr) return;
    const long long first = work.batch * kept.batch_stride + index * kept.token_stride + work.head * kept.head_stride;
    state.store(States<T, void>{kept.data, arguments.value_heads}, first,
                is_vectorized(arguments, T::Ports::token_states) != 0);
  });
  state.store(after, to, aligned);
}

}  // namespace rankone

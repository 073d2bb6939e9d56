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
template <class T> RK_DEVICE void place_row(const Arguments& arguments, long long block, Work& work) {
  work.sequence = work.batch = place_tile<T>(arguments, block, work);
  work.start = work.first_slot = 0;
  work.length = arguments.tokens;
  work.position = start_position<T>(arguments, work.sequence);
}

// In the slot that a row names, which there is, what is carried beside its state: `width` numbers a head.
template <class T, class Number>
RK_DEVICE Global<Number> in_slot(const Arguments& arguments, const Work& work, int pool_index, int indices, int width) {
  const TensorArgument& pool = port<T>(arguments, pool_index);
  const long long slot = global_load<int>(global<const int>(port<T>(arguments, indices).data) + work.sequence);
  return global<Number>(pool.data) + (slot * pool.batch_stride + work.head * width);
}
// What all tiles of a head read.
template <class T, class Gate> RK_DEVICE void load_carried(Tokens<T, Gate>& tokens, RegisterMatrix<T, Gate>& state) {
  const auto row = [&](int pool, int width) {
    return in_slot<T, const float>(state.arguments, state.work, pool, T::Ports::state_read, width);
  };
  if constexpr (T::has_normaliser) state.load_sum(row(T::Ports::state_sum, T::key_dim));
  if constexpr (T::has_running_max) load_max(tokens, row(T::Ports::state_max, 1));
  if constexpr (T::has_scan) load_scan(tokens, row(T::Ports::state_scan, T::scan_width));
  if constexpr (T::has_lagged_scale) load_last_key(tokens, row(T::Ports::state_key, T::key_dim));
}
template <class T, class Gate>
RK_DEVICE void store_carried(const Tokens<T, Gate>& tokens, const RegisterMatrix<T, Gate>& state) {
  const auto row = [&](int pool, int width) {
    return in_slot<T, float>(state.arguments, state.work, pool, T::Ports::state_write, width);
  };
  if constexpr (T::has_normaliser) store_sum(state, row(T::Ports::state_sum, T::key_dim));
  if constexpr (T::has_running_max) store_max(tokens, row(T::Ports::state_max, 1));
  if constexpr (T::has_scan && !T::is_first_pass)  // whose second pass reads it, too
    store_scan(tokens, row(T::Ports::state_scan, T::scan_width));
  if constexpr (T::has_lagged_scale) store_last_key(tokens, row(T::Ports::state_key, T::key_dim));
}

// Calls store(data, place) with where the token's numbers stand in a tensor, if that is wanted.
template <class Store>
RK_DEVICE void store_if_wanted(const TensorArgument& kept, const Work& work, long long token, const Store& store) {
  if (kept.data != nullptr)
    store(kept.data, work.batch * kept.batch_stride + token * kept.token_stride + work.head * kept.head_stride);
}
// Behind a token, for whoever wants it: the state, and what is carried beside it.
template <class T, class Gate>
RK_DEVICE void store_token(const Tokens<T, Gate>& tokens, RegisterMatrix<T, Gate>& state, long long index) {
  const Arguments& arguments = state.arguments;
  const Work& work = state.work;
  if constexpr (T::has_normaliser)
    store_if_wanted(port<T>(arguments, T::Ports::token_states_sum), work, index,
                    [&](void* data, long long place) { store_sum(state, global<float>(data) + place); });
  if constexpr (T::has_running_max)
    store_if_wanted(port<T>(arguments, T::Ports::token_states_max), work, index,
                    [&](void* data, long long place) { store_max(tokens, global<float>(data) + place); });
  if constexpr (T::has_phase)
    store_if_wanted(
        port<T>(arguments, T::Ports::token_states_imaginary), work, index, [&](void* data, long long place) {
          state.template store<Plane::imaginary>(States<T, void>{data, arguments.value_heads}, place,
                                                 is_vectorized(arguments, T::Ports::token_states_imaginary) != 0);
        });
  if constexpr (T::has_scan && !T::is_first_pass)
    store_if_wanted(port<T>(arguments, T::Ports::token_states_scan), work, index,
                    [&](void* data, long long place) { store_scan(tokens, global<float>(data) + place); });
  if constexpr (T::has_lagged_scale) {
    store_if_wanted(port<T>(arguments, T::Ports::token_states_key), work, index,
                    [&](void* data, long long place) { store_last_key(tokens, global<float>(data) + place); });
    store_if_wanted(port<T>(arguments, T::Ports::token_states_value), work, index,
                    [&](void* data, long long place) { store_last_value(tokens, global<float>(data) + place); });
  }
  store_if_wanted(port<T>(arguments, T::Ports::token_states), work, index, [&](void* data, long long place) {
    state.store(States<T, void>{data, arguments.value_heads}, place,
                is_vectorized(arguments, T::Ports::token_states) != 0);
  });
}

// The slots of a pool of states that rows name in one of their lists.
template <class T> RK_DEVICE StateSlots slots_of(const Arguments& arguments, int pool, int indices) {
  return StateSlots{port<T>(arguments, indices).data, port<T>(arguments, pool).batch_stride, T::key_dim * T::value_dim,
                    arguments.state_slots};
}
// The imaginary part of a state, of the row's slot.
template <class T, class Gate> RK_DEVICE void load_slot_imaginary(RegisterMatrix<T, Gate>& state) {
  constexpr int pool = T::Ports::state_imaginary;
  const Arguments& arguments = state.arguments;
  load_state<Plane::imaginary>(state,
                               States<T, const void>{port<T>(arguments, pool).data, arguments.value_heads,
                                                     slots_of<T>(arguments, pool, T::Ports::state_read)},
                               state.work.sequence, is_vectorized(arguments, pool) != 0);
}
template <class T, class Gate> RK_DEVICE void store_slot_imaginary(RegisterMatrix<T, Gate>& state) {
  constexpr int pool = T::Ports::state_imaginary;
  const Arguments& arguments = state.arguments;
  store_state<Plane::imaginary>(state,
                                States<T, void>{port<T>(arguments, pool).data, arguments.value_heads,
                                                slots_of<T>(arguments, pool, T::Ports::state_write)},
                                state.work.sequence, is_vectorized(arguments, pool) != 0);
}

template <class Policy, class Gate> RK_DEVICE void recurrent_decode(const Arguments& arguments) {
  using T = RecurrentTraits<Policy>;
  Work work;
  place_row<T>(arguments, block_index(), work);
  // The caller's numbers: those that name no slot leave the row alone.
  const TensorArgument& pool = port<T>(arguments, T::Ports::state);
  const auto slots = [&](int indices) { return slots_of<T>(arguments, T::Ports::state, indices); };
  const States<T, const void> before{pool.data, arguments.value_heads, slots(T::Ports::state_read)};
  const States<T, void> after{pool.data, arguments.value_heads, slots(T::Ports::state_write)};
  const bool is_read = before.exists(work.sequence), is_written = after.exists(work.sequence);
  const long long from = before.first(work.sequence, work.head), to = after.first(work.sequence, work.head);
  Tokens<T, Gate> tokens(arguments, work);
  if constexpr (!T::is_second_pass) tokens.begin(0);
  if (!is_read || !is_written) return;
  if constexpr (T::is_second_pass) tokens.begin(0);  // to a row that does nothing, nothing has been passed on
  const bool aligned = is_vectorized(arguments, T::Ports::state) != 0;
  RegisterMatrix<T, Gate> state(arguments, work);
  state.load(before, from, aligned);
  if constexpr (T::has_phase) load_slot_imaginary(state);
  if constexpr (T::carries_more) load_carried(tokens, state);
  // Each tile has value columns of its own: nobody else reads them.
  if constexpr (T::has_lagged_scale)
    load_last_value(
        tokens, in_slot<T, const float>(arguments, work, T::Ports::state_value, T::Ports::state_read, T::value_dim));
  walk_tokens(arguments, work, tokens, state, [&](long long index) {
    store_token(tokens, state, index);
    // The last token's goes on its way before the output is read of it.
    if (index + 1 != work.length) return;
    state.store(after, to, aligned);
    if constexpr (T::has_phase) store_slot_imaginary(state);
  });
  if constexpr (T::has_lagged_scale)
    store_last_value(tokens,
                     in_slot<T, float>(arguments, work, T::Ports::state_value, T::Ports::state_write, T::value_dim));
  // Of one tile there is nobody else who has yet to read it.
  if constexpr (T::carries_more && T::value_tiles == 1) store_carried(tokens, state);
}

// Where several tiles read what a row carries beside its state, that goes to its slot once all have: the walk again, of the
// column of ones alone.
template <class Policy, class Gate> RK_DEVICE void recurrent_decode_sums(const Arguments& arguments) {
  using T = RecurrentTraits<Policy>;
  Work work;
  place_row<T>(arguments, block_index() * T::value_tiles, work);
  const auto exists = [&](int indices) {
    const int slot = global_load<int>(global<const int>(port<T>(arguments, indices).data) + work.sequence);
    return slot >= 0 && slot < arguments.state_slots;
  };
  if (!exists(T::Ports::state_read) || !exists(T::Ports::state_write)) return;
  Tokens<T, Gate> tokens(arguments, work);
  tokens.begin(0);
  RegisterMatrix<T, Gate> state(arguments, work);
  load_carried(tokens, state);
#pragma unroll 1
  for (long long index = 0; index < work.length * T::token_steps; ++index) {
    const int half = (index & 1) != 0 ? T::layout.half_bytes : 0;
    tokens.arrive(index, index, work.length * T::token_steps - index);
    tokens.evaluate(index, half);
    sync_block();  // the token's rows and columns
    if constexpr (T::has_running_max) tokens.pass_max(half);
    if constexpr (T::has_normaliser) advance<T, Gate>(state, work, index, half);
  }
  store_carried(tokens, state);
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// What one token does to the state and to what is read of it, once its rows and columns stand in shared memory.
#pragma once

#include "recurrent/lagged_write.cuh"
#include "recurrent/register_matrix.cuh"
#include "recurrent/token.cuh"

namespace rankone {

// The states that a walk begins and ends with, and their slopes: of a bidirectional variant each walk has its own.
template <class T> RK_CONSTEXPR int initial_state_port() {
  if constexpr (T::is_downward)
    return T::Ports::initial_state_reversed;
  else
    return T::Ports::initial_state;
}
template <class T> RK_CONSTEXPR int final_state_port() {
  if constexpr (T::is_downward)
    return T::Ports::final_state_reversed;
  else
    return T::Ports::final_state;
}
template <class T> RK_CONSTEXPR int final_slope_port() {
  if constexpr (T::is_downward)
    return T::Ports::dfinal_state_reversed;
  else
    return T::Ports::dfinal_state;
}
template <class T> RK_CONSTEXPR int initial_slope_port() {
  if constexpr (T::is_downward)
    return T::Ports::dinitial_state_reversed;
  else
    return T::Ports::dinitial_state;
}

// The `index`-th state of a tensor, if there is one. `aligned`: its rows start at multiples of 16 bytes.
template <Plane plane = Plane::real, class States, class Matrix>
RK_DEVICE void load_state(Matrix& matrix, const States& states, long long index, bool aligned) {
  if (states.exists(index)) matrix.template load<plane>(states, states.first(index, matrix.work.head), aligned);
}
template <Plane plane = Plane::real, class States, class Matrix>
RK_DEVICE void store_state(Matrix& matrix, const States& states, long long index, bool aligned) {
  if (states.exists(index)) matrix.template store<plane>(states, states.first(index, matrix.work.head), aligned);
}
// The imaginary part of a sequence's, in the tensor of a port.
template <class T, class Gate> RK_DEVICE void load_imaginary(RegisterMatrix<T, Gate>& matrix, int index) {
  const States<T, const void> states{port<T>(matrix.arguments, index).data, matrix.arguments.value_heads};
  load_state<Plane::imaginary>(matrix, states, matrix.work.sequence, is_vectorized(matrix.arguments, index) != 0);
}
template <class T, class Gate> RK_DEVICE void store_imaginary(RegisterMatrix<T, Gate>& matrix, int index) {
  const States<T, void> states{port<T>(matrix.arguments, index).data, matrix.arguments.value_heads};
  store_state<Plane::imaginary>(matrix, states, matrix.work.sequence, is_vectorized(matrix.arguments, index) != 0);
}

// What is carried beside the state, float32. Every tile has all of it; the first one stores it.
//
// The normaliser's column, K numbers a state.
template <class T, class Gate> RK_DEVICE void store_sum(const RegisterMatrix<T, Gate>& matrix, Global<float> to) {
  if (matrix.work.value_tile == 0) matrix.store_sum(to);
}
template <class T, class Gate>
RK_DEVICE void load_state_sum(RegisterMatrix<T, Gate>& matrix, const void* sums, long long index) {
  if (sums != nullptr)
    matrix.load_sum(global<const float>(sums) + row_of_head(matrix.arguments, matrix.work, index, T::key_dim));
}
template <class T, class Gate>
RK_DEVICE void store_state_sum(const RegisterMatrix<T, Gate>& matrix, void* sums, long long index) {
  if (sums != nullptr)
    store_sum(matrix, global<float>(sums) + row_of_head(matrix.arguments, matrix.work, index, T::key_dim));
}

// The running maximum, one number a state.
template <class T, class Gate> RK_DEVICE void load_max(Tokens<T, Gate>& tokens, Global<const float> from) {
  tokens.running_max = {global_load<float>(from), 0.0f};
}
template <class T, class Gate> RK_DEVICE void store_max(const Tokens<T, Gate>& tokens, Global<float> to) {
  if (tokens.work.value_tile == 0 && thread_index() == 0) global_store<float>(to, tokens.running_max.value);
}
template <class T, class Gate>
RK_DEVICE void load_state_max(Tokens<T, Gate>& tokens, const void* maxima, long long index) {
  if (maxima != nullptr)
    load_max(tokens, global<const float>(maxima) + row_of_head(tokens.arguments, tokens.work, index, 1));
}
template <class T, class Gate>
RK_DEVICE void store_state_max(const Tokens<T, Gate>& tokens, void* maxima, long long index) {
  if (maxima != nullptr)
    store_max(tokens, global<float>(maxima) + row_of_head(tokens.arguments, tokens.work, index, 1));
}

// A scan, K numbers a state, or of a chain as many as there are slots.
template <class T, class Gate> RK_DEVICE void load_scan(Tokens<T, Gate>& tokens, Global<const float> from) {
  tokens.for_each_scan([&](int key, Scanned& scanned) { scanned = {global_load<float>(from + key), 0.0f}; });
}
template <class T, class Gate> RK_DEVICE void store_scan(const Tokens<T, Gate>& tokens, Global<float> to) {
  if (tokens.work.value_tile != 0) return;
  tokens.for_each_scan([&](int key, const Scanned& scanned) { global_store<float>(to + key, scanned.value); });
}
template <class T, class Gate>
RK_DEVICE void load_state_scan(Tokens<T, Gate>& tokens, const void* scans, long long index) {
  if (scans != nullptr)
    load_scan(tokens, global<const float>(scans) + row_of_head(tokens.arguments, tokens.work, index, T::scan_width));
}
template <class T, class Gate>
RK_DEVICE void store_state_scan(const Tokens<T, Gate>& tokens, void* scans, long long index) {
  if (scans != nullptr)
    store_scan(tokens, global<float>(scans) + row_of_head(tokens.arguments, tokens.work, index, T::scan_width));
}

// Before a run of the backward pass the workspace holds all of it.
template <class T>
RK_DEVICE Global<float> checkpoint_scan(const Arguments& arguments, const Work& work, long long run) {
  return global<float>(arguments.prepared_chunks) + row_of_head(arguments, work, work.first_slot + run, 2 * T::scan_width);
}
template <class T, class Gate> RK_DEVICE void load_checkpoint_scan(Tokens<T, Gate>& tokens, long long run) {
  const Global<float> from = checkpoint_scan<T>(tokens.arguments, tokens.work, run);
  tokens.for_each_scan([&](int key, Scanned& scanned) {
    scanned = {global_load<float>(from + key * 2), global_load<float>(from + (key * 2 + 1))};
  });
}
template <class T, class Gate> RK_DEVICE void store_checkpoint_scan(const Tokens<T, Gate>& tokens, long long run) {
  if (!T::scans_values && tokens.work.value_tile != 0) return;
  const Global<float> to = checkpoint_scan<T>(tokens.arguments, tokens.work, run);
  tokens.for_each_scan([&](int key, const Scanned& scanned) {
    global_store<float>(to + key * 2, scanned.value);
    global_store<float>(to + (key * 2 + 1), scanned.lost);
  });
}

// Likewise of the maximum.
RK_DEVICE Global<float> checkpoint_max(const Arguments& arguments, const Work& work, long long run) {
  return global<float>(arguments.segment_decays) + row_of_head(arguments, work, work.first_slot + run, 2);
}
template <class T>
RK_DEVICE RunningMax load_checkpoint_max(const Arguments& arguments, const Work& work, long long run) {
  const Global<float> from = checkpoint_max(arguments, work, run);
  return {global_load<float>(from), global_load<float>(from + 1)};
}
template <class T, class Gate> RK_DEVICE void store_checkpoint_max(const Tokens<T, Gate>& tokens, long long run) {
  if (tokens.work.value_tile != 0 || thread_index() != 0) return;
  const Global<float> to = checkpoint_max(tokens.arguments, tokens.work, run);
  global_store<float>(to, tokens.running_max.value);
  global_store<float>(to + 1, tokens.running_max.lost);
}

// The sequence, head and value columns of a block; returns what the block's number says of tokens.
template <class T> RK_DEVICE long long place_tile(const Arguments& arguments, long long block, Work& work) {
  const long long place = place_columns<T, long long>(arguments, block, work);
  if constexpr (T::has_normaliser) work.value_column = work.value_tile * T::value_columns;
  return place;
}

// What the token before has written, once more.
template <class T, class Gate> RK_DEVICE void write_again(RegisterMatrix<T, Gate>& state, int half) {
  state.add(half + T::layout.lagged_key, load_columns(half + T::layout.lagged_value + state.first_column * 4), 1.0f);
  state.settle();
}

// What was read of the state to be erased: of the thread's columns by a key, of its keys by a value.
template <class T, class Gate> struct Erased {
  Columns columns;
  typename RegisterMatrix<T, Gate>::RowSums keys;
};

template <class T, class Gate>
RK_DEVICE typename RegisterMatrix<T, Gate>::RowSums read_by_value(const RegisterMatrix<T, Gate>& state, int half) {
  constexpr RecurrentLayout layout = T::layout;
  return state.multiply_columns(half + layout.erased_keys,
                                load_columns(half + layout.value_erase_read + state.first_column * 4));
}

// The state passes a token, or the `index`-th step. Returns what was erased.
template <class T, class Gate>
RK_DEVICE Erased<T, Gate> advance(RegisterMatrix<T, Gate>& state, const Work& work, long long index, int half) {
  constexpr RecurrentLayout layout = T::layout;
  const int own = state.first_column * 4;
  Erased<T, Gate> all;
  Columns& erased = all.columns;
  if constexpr (T::has_erase_scale && T::erases_undecayed) erased = state.project(half + layout.erase_read);
  if constexpr (T::has_value_erase_scale && T::erases_undecayed) all.keys = read_by_value(state, half);
  if constexpr (T::has_lagged_scale) write_again(state, half);
  if (decays_before<T>(index)) state.decay(position_of_step<T>(work, index), half);
  if constexpr (T::has_phase)
    if (decays_before<T>(index)) state.turn(half, 1.0f);
  if constexpr (T::has_erase_scale) {
    state.settle();
    if constexpr (!T::erases_undecayed) erased = state.project(half + layout.erase_read);
    erased = sums_over_keys<T>(half + layout.erased, erased, state.first_column);
    if constexpr (!T::erases_as_it_writes) state.add(half + layout.erase_write, erased, -1.0f);
  }
  if constexpr (T::has_value_erase_scale) {
    state.settle();
    if constexpr (!T::erases_undecayed) all.keys = read_by_value(state, half);
    state.add(all.keys, load_columns(half + layout.value_erase_write + own), -1.0f);
  }
  Columns value = load_columns(half + layout.value + own);
  if constexpr (T::erases_as_it_writes) value = difference(value, erased);
  state.add(half + layout.key, value, 1.0f);
  state.settle();
  return all;
}

// What the token's own key and value add to what is read before them.
template <class T, class Gate> RK_DEVICE void add_bonus(const RegisterMatrix<T, Gate>& state, int half, Columns& read) {
  const Columns value = load_columns(half + T::layout.value + state.first_column * 4);
  const float own = state.sum_row(half + T::layout.bonus);
#pragma unroll
  for (int i = 0; i < thread_columns; ++i) read.value[i] = multiply_add(own, value.value[i], read.value[i]);
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The last token's key and value, which the next one writes again: a walk that begins behind a token evaluates them once more, and
// where a call begins and ends they stand in tensors, a row of keys and a row of value columns for each state.
#pragma once

#include "recurrent/token.cuh"

namespace rankone {

template <class T, class Gate> RK_DEVICE void load_last_key(Tokens<T, Gate>& tokens, Global<const float> from) {
  tokens.visit_keys([&](int key, int i) { tokens.last_key[i] = global_load<float>(from + key); });
}
template <class T, class Gate> RK_DEVICE void load_last_value(Tokens<T, Gate>& tokens, Global<const float> from) {
  tokens.visit_columns([&](int column, int i) {
    tokens.last_value[i] = global_load<float>(from + (tokens.work.value_column + column));
  });
}
// Every tile has the key; the first one stores it.
template <class T, class Gate> RK_DEVICE void store_last_key(const Tokens<T, Gate>& tokens, Global<float> to) {
  if (tokens.work.value_tile != 0) return;
  tokens.visit_keys([&](int key, int i) { global_store<float>(to + key, tokens.last_key[i]); });
}
template <class T, class Gate> RK_DEVICE void store_last_value(const Tokens<T, Gate>& tokens, Global<float> to) {
  tokens.visit_columns(
      [&](int column, int i) { global_store<float>(to + (tokens.work.value_column + column), tokens.last_value[i]); });
}

// The token at hand, the walk's `index`-th, becomes the last one that was evaluated.
template <class T, class Gate> RK_DEVICE void recall(Tokens<T, Gate>& tokens, long long index) {
#pragma unroll
  for (int i = 0; i < Tokens<T, Gate>::keys; ++i) {
    if (!T::reduces_keys && thread_index() + i * T::threads >= T::key_dim) break;
    RecurrentAt<T> at = tokens.at_key(index, i);
    if constexpr (T::rows_decay) at.decay_value = tokens.decay_of_key(at).high;
    tokens.last_key[i] = Gate::key(at);
  }
  tokens.visit_columns([&](int column, int i) {
    tokens.last_value[i] = tokens.value_of(tokens.at_value(index, tokens.now[i], column));
  });
}
// The same of one that is not at hand.
template <class T, class Gate> RK_DEVICE void fetch_last(Tokens<T, Gate>& tokens, long long index) {
  tokens.load(index, tokens.now_keys, tokens.now);
  recall(tokens, index);
}

template <class T, class Gate> RK_DEVICE void forget_last(Tokens<T, Gate>& tokens) {
#pragma unroll
  for (int i = 0; i < Tokens<T, Gate>::lagged_keys; ++i) tokens.last_key[i] = 0.0f;
#pragma unroll
  for (int i = 0; i < Tokens<T, Gate>::lagged_columns; ++i) tokens.last_value[i] = 0.0f;
}
// Before a call's first token; absent ones are zeros.
template <class T, class Gate> RK_DEVICE void load_initial_last(Tokens<T, Gate>& tokens) {
  const Arguments& arguments = tokens.arguments;
  const Work& work = tokens.work;
  const void *const keys = port<T>(arguments, T::Ports::initial_state_key).data,
                    *const values = port<T>(arguments, T::Ports::initial_state_value).data;
  forget_last(tokens);
  if (keys != nullptr)
    load_last_key(tokens, global<const float>(keys) + row_of_head(arguments, work, work.sequence, T::key_dim));
  if (values != nullptr)
    load_last_value(tokens, global<const float>(values) + row_of_head(arguments, work, work.sequence, T::value_dim));
}
// Behind its last one.
template <class T, class Gate> RK_DEVICE void store_final_last(const Tokens<T, Gate>& tokens) {
  const Arguments& arguments = tokens.arguments;
  const Work& work = tokens.work;
  void *const keys = port<T>(arguments, T::Ports::final_state_key).data,
              *const values = port<T>(arguments, T::Ports::final_state_value).data;
  if (keys != nullptr)
    store_last_key(tokens, global<float>(keys) + row_of_head(arguments, work, work.sequence, T::key_dim));
  if (values != nullptr)
    store_last_value(tokens, global<float>(values) + row_of_head(arguments, work, work.sequence, T::value_dim));
}

}  // namespace rankone

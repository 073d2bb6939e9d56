// SPDX-License-Identifier: MIT
// Of the backward pass of non-causal variants: the sums over tiles of what queries have, and of what keys have behind them.
#pragma once

#include "recurrent/reduce.cuh"
#include "recurrent/sides.cuh"

namespace rankone {

template <class T> RK_DEVICE void reduce_query(const Arguments& arguments, long long row) {
  using Side = QuerySide<T>;
  constexpr SlopePart query = T::slopes.query;
  if (!is_in_a_sequence<T>(arguments, row)) return;
  const TokenRow token{row, row / arguments.tokens, row % arguments.tokens};
  reduce_token<Side, typename T::Storage>(arguments, token, query, query_head_axis, T::Ports::dq);
  reduce_inputs<Side>(arguments, token);
}

template <class T> RK_DEVICE bool is_key_in_a_sequence(const Arguments& arguments, long long token) {
  if (!is_packed<T>(arguments)) return true;
  return token >= key_offset<T>(arguments, 0) && token < key_offset<T>(arguments, arguments.sequences);
}
// `first`: the row of slopes of the first key.
template <class T> RK_DEVICE void reduce_key(const Arguments& arguments, long long first, long long key) {
  using Side = KeySide<T>;
  constexpr SlopePart of_key = T::slopes.key;
  if (!is_key_in_a_sequence<T>(arguments, key)) return;
  const TokenRow token{first + key, key / key_tokens(arguments), key % key_tokens(arguments)};
  if constexpr (T::reads_key)
    reduce_token<Side, typename T::Storage>(arguments, token, of_key, query_head_axis, T::Ports::dk);
  reduce_inputs<Side>(arguments, token);
}

template <class Policy> RK_DEVICE void reduce_gradients_of_sides(const Arguments& arguments) {
  using T = BackwardTraits<Policy>;
  const long long batches = rows_of_batch<T>(arguments), queries = batches * arguments.tokens,
                  rows = queries + batches * key_tokens(arguments);
  for (int i = 0; i < reduce_tokens; ++i) {
    const long long row = block_index() * reduce_tokens + i;
    if (row >= rows) return;
    if (row < queries)
      reduce_query<T>(arguments, row);
    else
      reduce_key<T>(arguments, queries, row - queries);
  }
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The backward pass of non-causal variants.
//
// A block writes the keys of a sequence to its part of the state once more, walks the queries, each of which adds to the
// slopes of the state that all of them read, and walks the keys, each of which has its slopes from there.
#pragma once

#include "recurrent/formula_slopes.cuh"
#include "recurrent/non_causal.cuh"

namespace rankone {

// The elements of another side's part of a state.
template <class To, class From> RK_DEVICE void take_values(To& to, const From& from) {
  to.for_each_row([&](int, int i) {
#pragma unroll
    for (int j = 0; j < thread_columns; ++j) to.values[i][j] = from.values[i][j];
  });
}

template <class T, class Gate> struct QueryBlock : FormulaSlopes<T, Gate> {
  using Block = FormulaSlopes<T, Gate>;
  using Block::arguments, Block::work, Block::state, Block::slopes, Block::tokens, Block::half, Block::layout,
      Block::token_layout;

  RK_DEVICE QueryBlock(const Arguments& from, const Work& of) : Block(from, of) {}

  RK_DEVICE void run() {
#pragma unroll 1
    for (long long index = 0; index < work.length; ++index) {
      this->turn();
      tokens.arrive(index, index, work.length - index);
      tokens.evaluate(index, half);
      if constexpr (T::has_output) project();
      this->start_columns(index, 0);
      sync_block();  // the query's row and the slopes of its columns
      Columns read = load_columns(layout.read_slope + state.first_column * 4);
      if constexpr (T::has_normaliser) {
        if (state.has_sum()) read.value[0] = this->slope_of_normaliser();
      }
      state.store_products(layout.query_slope, read);
      slopes.add(half + token_layout.query, read, 1.0f);
      slopes.settle();
      sync_block();  // what all columns have of the row
      this->finish_columns(index);
      this->finish_keys(index, 0.0f);
      if constexpr (T::has_head_inputs) this->store_head_inputs(index);
    }
  }

 private:
  // What the output's formula reads.
  RK_DEVICE void project() {
    sync_block();  // the query's row
    store_column_sums<T>(layout.read, state.project(half + token_layout.query), state.first_column);
    sync_block();  // what all keys have of the read
  }
};

template <class T, class Gate> struct KeyBlock : FormulaSlopes<T, Gate> {
  using Block = FormulaSlopes<T, Gate>;
  using Block::arguments, Block::work, Block::state, Block::slopes, Block::tokens, Block::half, Block::layout,
      Block::token_layout, Block::keys, Block::columns;

  RK_DEVICE KeyBlock(const Arguments& from, const Work& of) : Block(from, of) {}

  // What queries have gained, of the state and of parameters, is where keys begin.
  template <class Queries> RK_DEVICE void go_on(const Queries& queries) {
    take_values(slopes, queries.slopes);
    this->tokens.reduction.turn = queries.tokens.reduction.turn;  // the other place may still be read
    half = work.length % 2 == 0 ? token_layout.half_bytes : 0;    // that of the last key, which others may still read
    for (int p = 0; p < T::parameters; ++p) {
      for (int i = 0; i < keys; ++i) this->key_parameters[i][p] = queries.key_parameters[i][p];
      for (int i = 0; i < columns; ++i) this->column_parameters[i][p] = queries.column_parameters[i][p];
      this->head_parameters[p] = queries.head_parameters[p];
    }
  }
  RK_DEVICE void run() {
#pragma unroll 1
    for (long long index = 0; index < work.length; ++index) {
      this->turn();
      tokens.arrive(index, index, work.length - index);
      tokens.evaluate(index, half);
      for (int i = 0; i < columns; ++i) this->of_columns[i] = LeafSlopes<T>();
      sync_block();  // the key's row and columns
      slopes.store_products(layout.key_slope, load_columns(half + token_layout.value + slopes.first_column * 4));
      store_column_sums<T>(layout.value_slope, slopes.project(half + token_layout.key), slopes.first_column);
      sync_block();  // what all columns have of the row, and all rows of columns
      this->finish_columns(index);
      this->finish_keys(index, 0.0f);
      if constexpr (T::has_head_inputs) this->store_head_inputs(index);
    }
    const States<T, void> before{port<T>(arguments, T::Ports::dinitial_state).data, arguments.value_heads};
    store_state(slopes, before, work.sequence, is_vectorized(arguments, T::Ports::dinitial_state) != 0);
    if constexpr (T::has_normaliser) this->store_sum_slopes();
    if constexpr (T::parameter_count > 0) this->store_parameters();
  }
};

template <class Policy, class Gate> RK_DEVICE void non_causal_backward(const Arguments& arguments) {
  using T = BackwardTraits<Policy>;
  Work of_queries;
  place_sequence<T>(arguments, place_tile<T>(arguments, block_index(), of_queries), 1, of_queries);
  const Work of_keys = keys_of<T>(arguments, of_queries);
  KeyBlock<KeySide<T>, Gate> keys(arguments, of_keys);
  const States<T, const void> before{port<T>(arguments, T::Ports::initial_state).data, arguments.value_heads};
  load_state(keys.state, before, of_keys.sequence, is_vectorized(arguments, T::Ports::initial_state) != 0);
  if constexpr (T::has_normaliser)
    load_state_sum(keys.state, port<T>(arguments, T::Ports::initial_state_sum).data, of_keys.sequence);
  write_keys<KeySide<T>, Gate>(arguments, of_keys, keys.state);
  QueryBlock<QuerySide<T>, Gate> queries(arguments, of_queries);
  take_values(queries.state, keys.state);
  const States<T, const void> behind{port<T>(arguments, T::Ports::dfinal_state).data, arguments.value_heads};
  load_state(queries.slopes, behind, of_queries.sequence, is_vectorized(arguments, T::Ports::dfinal_state) != 0);
  if constexpr (T::has_normaliser) {  // which one tile takes
    if (of_queries.value_tile == 0)
      load_state_sum(queries.slopes, port<T>(arguments, T::Ports::dfinal_state_sum).data, of_queries.sequence);
  }
  queries.run();
  keys.go_on(queries);
  keys.run();
}

}  // namespace rankone

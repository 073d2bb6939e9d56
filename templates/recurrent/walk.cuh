// SPDX-License-Identifier: MIT
// The recurrence over a block's tokens, one by one.
//
// For each token the threads first turn what they have fetched of it into rows of keys and value columns in shared
// memory, two tokens' in turn; then all update their elements of the state, and meet wherever a
// sum over keys is wanted.
#pragma once

#include "recurrent/step.cuh"

namespace rankone {

// Of a bidirectional variant: where the workspace holds what a token's query reads of both states, a float for each value
// column of a head.
template <class T> RK_DEVICE Global<float> read_of_both(const Arguments& arguments, const Work& work, long long index) {
  const long long row = work.batch * arguments.tokens + token_of<T>(work.start, work.length, index);
  return global<float>(arguments.prepared_chunks) + row_of_head(arguments, work, row, T::value_dim);
}
// What this walk reads, and what an earlier one has read.
template <class T, class Gate>
RK_DEVICE void keep_read(const Tokens<T, Gate>& tokens, const Arguments& arguments, const Work& work, long long index,
                         int half) {
  const Global<float> row = read_of_both<T>(arguments, work, index);
#pragma unroll
  for (int i = 0; i < Tokens<T, Gate>::columns; ++i) {
    const int column = thread_index() + i * T::threads;
    if (column >= T::value_tile || !tokens.exists(column)) break;
    float read = load_column_sum<T>(half + T::layout.read, column) * T::read_scale(arguments);
    if constexpr (T::is_downward) read += global_load<float>(row + (work.value_column + column));
    global_store<float>(row + (work.value_column + column), read);
  }
}

// What has been read of the state becomes the output of a token.
template <class T, class Gate>
RK_DEVICE void write_output(const Tokens<T, Gate>& tokens, const Arguments& arguments, const Work& work,
                            long long index, int half) {
  using Output = typename T::Output;
  const TensorArgument& o = port<T>(arguments, T::Ports::o);
  const long long token = rows_of_step<T>(arguments, work, index).token;
  const Global<Output> row =
      global<Output>(o.data) + (work.batch * o.batch_stride + token * o.token_stride + work.head * o.head_stride);
#pragma unroll
  for (int i = 0; i < Tokens<T, Gate>::columns; ++i) {
    const int column = thread_index() + i * T::threads;
    if (column >= T::value_tile || !tokens.exists(column)) break;
    RecurrentAt<T> at = tokens.at(index, tokens.now[i], 0, work.value_column + column);
    at.value_value = tokens.now[i].value;
    at.read_value = load_column_sum<T>(half + T::layout.read, column) * T::read_scale(arguments);
    if constexpr (T::has_normaliser)
      at.normaliser_value = load_column_sum<T>(half + T::layout.read, T::value_columns) * arguments.scale;
    if constexpr (T::has_running_max) at.unit_value = unit_of(tokens.running_max);
    if constexpr (T::is_downward)
      at.read_value += global_load<float>(read_of_both<T>(arguments, work, index) + (work.value_column + column));
    float output = at.read_value;
    if constexpr (T::has_output) output = Gate::output(at);
    global_store<Output>(row + (work.value_column + column), Element<Output>::from(output));
  }
}

// Before walk_tokens: the first tokens are under way, and what the call goes on from is there.
template <class T, class Gate>
RK_DEVICE void begin_walk(const Arguments& arguments, const Work& work, Tokens<T, Gate>& tokens,
                          RegisterMatrix<T, Gate>& state) {
  if (work.length > 0) tokens.begin(0);
  const States<T, const void> before{port<T>(arguments, initial_state_port<T>()).data, arguments.value_heads};
  load_state(state, before, work.sequence, is_vectorized(arguments, initial_state_port<T>()) != 0);
  if constexpr (T::has_normaliser)
    load_state_sum(state, port<T>(arguments, T::Ports::initial_state_sum).data, work.sequence);
  if constexpr (T::has_phase) load_imaginary(state, T::Ports::initial_state_imaginary);
  if constexpr (T::has_lagged_scale) load_initial_last(tokens);
  if constexpr (T::has_running_max)
    load_state_max(tokens, port<T>(arguments, T::Ports::initial_state_max).data, work.sequence);
  if constexpr (T::has_scan)
    load_state_scan(tokens, port<T>(arguments, T::Ports::initial_state_scan).data, work.sequence);
}

// All tokens, before which tokens.begin(0) was called. Calls updated(token) when the state holds one.
template <class T, class Gate, class Updated>
RK_DEVICE void walk_tokens(const Arguments& arguments, const Work& work, Tokens<T, Gate>& tokens,
                           RegisterMatrix<T, Gate>& state, const Updated& updated) {
  constexpr RecurrentLayout layout = T::layout;
#pragma unroll 1
  for (long long index = 0; index < work.length * T::token_steps; ++index) {
    const int half = (index & 1) != 0 ? layout.half_bytes : 0;
    tokens.arrive(index, index, work.length * T::token_steps - index);
    tokens.evaluate(index, half);
    sync_block();  // the token's rows and columns
    if constexpr (T::has_running_max) tokens.pass_max(half);
    Columns read;
    if constexpr (T::reads_before)
      if (is_read<T>(index)) read = state.project(half + layout.query);
    advance<T, Gate>(state, work, index, half);
    if (is_last_step<T>(index)) updated(token_of_step<T>(index));
    if (!is_read<T>(index)) continue;
    if constexpr (!T::reads_before) read = state.project(half + layout.query);
    if constexpr (T::has_bonus) add_bonus(state, half, read);
    store_column_sums<T>(half + layout.read, read, state.first_column);
    sync_block();  // what all keys have of the read
    if constexpr (T::keeps_reads)
      keep_read<T, Gate>(tokens, arguments, work, index, half);
    else
      write_output<T, Gate>(tokens, arguments, work, index, half);
  }
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Of the recurrent family's backward pass: how a block holds the states that it walks back over, and where gradients
// stand in the workspace until they are summed; the kernels and the host compute it by these functions.
#pragma once

#include "recurrent/layout.cuh"

namespace rankone {

// The state before each run of tokens is in the workspace; walking back, a block computes the states before the spans of a
// run, and of each span those behind its steps. The former are many and wait in memory, where a block has a place for those
// of the run at hand alone: what is near is in L2. The latter are so few that shared memory has place for wide tiles.
constexpr int run_tokens = 64, most_span_steps = 4;
RK_CONSTEXPR int span_tokens(int token_steps) {
  int tokens = most_span_steps;
  while (tokens > 1 && tokens * token_steps > most_span_steps) tokens /= 2;
  return tokens;
}
RK_CONSTEXPR int run_spans(int token_steps) { return run_tokens / span_tokens(token_steps); }
// Of a span's steps the last one's is in registers.
RK_CONSTEXPR int kept_steps(int token_steps) { return span_tokens(token_steps) * token_steps - 1; }
RK_CONSTEXPR int kept_states(int token_steps) { return run_spans(token_steps) + kept_steps(token_steps); }

struct BackwardLayout {
  RecurrentLayout token;  // at the start
  // Of one token, for each warp with other columns a float for each key: what it adds to the loss, of the token's query,
  // written key, keys of an erasure, log-decay and phase; and of each input that elements of a full decay read.
  int query_slope, key_slope, erase_read_slope, erase_write_slope, decay_slope, phase_slope, lagged_key_slope,
      key_input_slopes;
  int element_slopes;  // what each feature adds to those of the elements that it is made of: a float for each, in some rows
  // A float for each value column: of what is read of the state, and of the normaliser by the column's output.
  int read_slope, normaliser_slope;
  // For each warp that shares keys a float for each value column: of the written value, of what is erased, of the column's
  // log-decay, and of each input that elements of a full decay read.
  int value_slope, erased_slope, value_decay_slope, lagged_value_slope, value_input_slopes;
  // Where values erase, likewise what they are erased by, and for each warp with other columns a float for each key: of what
  // is erased.
  int value_erase_read_slope, value_erase_write_slope, erased_key_slope;
  int head_slopes;  // for each warp a float for each input without columns
  // Of each token of a span: a float for each value column of what was erased, and for each warp that shares keys what its
  // keys had of the read.
  int erased, read;
  int erased_keys;  // and where values erase, a float for each key of what was
  // A row of keys, or of slots that are columns, of each kept state: what has been summed up, and what its rounding took away.
  int scans;
  int maxima;            // the running maximum of each kept state, and what its rounding took away
  int states;            // kept by the threads that hold them
  int state_bytes;       // of one
  int states_in_memory;  // the first ones kept have their places in the workspace, the others here
  int memory_bytes;      // of those
  int bytes;
};

// Whether a walk back keeps states: that over keys of a non-causal variant has the one that all keys have left.
RK_CONSTEXPR BackwardLayout make_backward_layout(const RecurrentSizes& sizes, int inputs, bool keeps_states) {
  const int steps = sizes.token_steps, span_steps = span_tokens(steps) * steps,
            states = keeps_states ? kept_states(steps) : 0;
  BackwardLayout layout{};
  layout.token = make_recurrent_layout(sizes);
  const int row = layout.token.rows * 4, rows = layout.token.column_warps * row;
  const int columns = sizes.value_tile * 4, sums = layout.token.key_warps * columns;
  int offset = layout.token.bytes;
  int* const of_keys[] = {&layout.query_slope, &layout.key_slope, &layout.erase_read_slope, &layout.erase_write_slope,
                          &layout.decay_slope};
  for (int* const place : of_keys) {
    *place = offset;
    offset += rows;
  }
  layout.phase_slope = offset;
  offset += sizes.has_phase ? rows : 0;
  layout.lagged_key_slope = offset;
  offset += sizes.writes_again ? rows : 0;
  layout.key_input_slopes = offset;
  offset += sizes.inputs * rows;
  layout.element_slopes = offset;
  offset += sizes.element_slopes * row;
  offset = (offset + 15) / 16 * 16;
  layout.read_slope = offset;
  offset += columns;
  layout.normaliser_slope = offset;
  offset += sizes.is_normalised ? columns : 0;
  int* const of_columns[] = {&layout.value_slope, &layout.erased_slope, &layout.value_decay_slope};
  for (int* const place : of_columns) {
    *place = offset;
    offset += sums;
  }
  layout.lagged_value_slope = offset;
  offset += sizes.writes_again ? sums : 0;
  layout.value_input_slopes = offset;
  offset += sizes.inputs * sums;
  if (sizes.erases_values) {
    layout.value_erase_read_slope = offset;
    layout.value_erase_write_slope = offset + sums;
    layout.erased_key_slope = offset + 2 * sums;
    layout.erased_keys = layout.erased_key_slope + rows;
    offset = (layout.erased_keys + span_steps * row + 15) / 16 * 16;
  }
  layout.head_slopes = offset;
  offset += (inputs * sizes.warps * 4 + 15) / 16 * 16;
  layout.erased = offset;
  offset += span_steps * columns;
  layout.read = offset;
  offset += span_steps * sums;
  layout.maxima = offset;
  offset += sizes.has_running_max ? (states * 8 + 15) / 16 * 16 : 0;
  layout.scans = offset;
  offset += sizes.has_scan ? states * (sizes.scans_values ? columns : row) * 2 : 0;
  layout.states = offset;
  layout.state_bytes = (sizes.has_phase ? 2 : 1) * layout.token.thread_rows * layout.token.threads * thread_columns * 4;
  // Of whole heads, those behind steps find no place here either.
  if (keeps_states) layout.states_in_memory = sizes.erases_values ? states : run_spans(steps);
  layout.memory_bytes = layout.states_in_memory * layout.state_bytes;
  layout.bytes = offset + (states - layout.states_in_memory) * layout.state_bytes;
  return layout;
}

}  // namespace rankone

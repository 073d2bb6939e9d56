// SPDX-License-Identifier: MIT
// Of the recurrent family's backward pass: how a block holds the states that it walks back over, and where gradients
// stand in the workspace until they are summed; the kernels and the host compute it by these functions.
#pragma once

#include "recurrent/layout.cuh"

namespace rankone {

// The state before each run of tokens is in the workspace; walking back, a block computes the states before the groups of
// a run, of each group those before its spans, and of each span those behind its tokens. So few have to be kept at a time
// that there is place for wide tiles and many warps, for which it pays to walk once more.
constexpr int run_tokens = 64, group_tokens = 16, span_tokens = 4;
constexpr int run_groups = run_tokens / group_tokens, group_spans = group_tokens / span_tokens;
// That before a group is that before its first span, and the last one is in registers.
RK_CONSTEXPR int kept_states(int token_steps) { return run_groups + group_spans - 1 + span_tokens * token_steps - 1; }

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
  int scans;        // a row of keys, or of slots that are columns, of each kept state: what has been summed up, and what its rounding took away
  int maxima;       // the running maximum of each kept state, and what its rounding took away
  int states;       // kept by the threads that hold them
  int bytes;
  int memory_bytes;  // of kept states where they find no place here, but in the workspace: those of whole heads
};

// `states`: that are kept.
RK_CONSTEXPR BackwardLayout make_backward_layout(const RecurrentSizes& sizes, int inputs, int states) {
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
    offset = (layout.erased_keys + span_tokens * sizes.token_steps * row + 15) / 16 * 16;
  }
  layout.head_slopes = offset;
  offset += (inputs * sizes.warps * 4 + 15) / 16 * 16;
  layout.erased = offset;
  offset += span_tokens * sizes.token_steps * columns;
  layout.read = offset;
  offset += span_tokens * sizes.token_steps * sums;
  layout.maxima = offset;
  offset += sizes.has_running_max ? (states * 8 + 15) / 16 * 16 : 0;
  layout.scans = offset;
  offset += sizes.has_scan ? states * (sizes.scans_values ? columns : row) * 2 : 0;
  const int state_bytes =
      (sizes.has_phase ? 2 : 1) * states * layout.token.thread_rows * layout.token.threads * thread_columns * 4;
  layout.states = sizes.erases_values ? 0 : offset;
  layout.bytes = sizes.erases_values ? offset : offset + state_bytes;
  layout.memory_bytes = sizes.erases_values ? state_bytes : 0;
  return layout;
}

}  // namespace rankone

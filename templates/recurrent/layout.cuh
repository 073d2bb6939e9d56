// SPDX-License-Identifier: MIT
// How a block of the recurrent family shares its part of the state among threads, and where a token's rows and columns
// stand in shared memory; the kernel and the host compute it by this one function.
//
// All warps have the same value columns and each a part of the keys, so that each moves whole lines of the states' memory. Or
// each has columns of its own and all keys of them, as far as there are columns: then sums over keys stay within a warp.
#pragma once

#include "kernels/layout.cuh"

namespace rankone {

constexpr int thread_columns = 4;  // neighbouring value columns of a thread
constexpr int most_staged_tokens = 16, most_staged_bytes = 40 << 10;

struct RecurrentSizes {
  int warps, key_dim, value_tile;
  int inputs;                     // token inputs that the elements of a full decay read; 0: there is none
  bool reduces_keys;              // formulas have sums or maxima over keys
  int token_steps;                // of a token
  bool splits_columns;            // among the warps
  bool stages_tokens;             // else the next one is fetched while one is at hand
  int stage_keys, stage_columns;  // numbers that are fetched of a token for each key, and for each value column
  int element_slopes;  // rows of slopes of elements where features are not one of each: of query and key, and of both of a pair
  bool is_normalised;  // the last thread of each row of a tile holds a value column of ones, which belongs to all tiles
  bool has_phase;      // the state is complex
  bool writes_again;   // what the token before has written
  bool has_running_max;  // the state is in units of exp(m), m the running maximum of write scales' logarithms
  bool erases_values;    // sums over value columns take all of them: there is one tile, as wide as it must be
  bool has_scan;         // what adds up from token to token at each key
  bool scans_values;     // or at each value column: in the first pass of a chain
};

// Of v, that a tile has.
RK_CONSTEXPR int value_columns(const RecurrentSizes& sizes) {
  return sizes.value_tile - (sizes.is_normalised ? thread_columns : 0);
}
RK_CONSTEXPR int value_tiles(const RecurrentSizes& sizes, int value_dim) {
  return (value_dim + value_columns(sizes) - 1) / value_columns(sizes);
}

// Offsets are bytes, within the half of a token where it says so: tokens take the two halves in turn.
struct RecurrentLayout {
  int threads;
  int column_warps, key_warps;      // that share the value columns, and the keys of each
  int column_threads, row_threads;  // of a warp those that share its columns; of the block those that share keys
  int thread_rows, row_group;       // keys of a thread: every `row_threads`-th group of so many neighbours
  int rows;                         // keys, and as many more as make that even
  // Of a token, a float for each key.
  int query, key, decay, decay_low, erase_read, erase_write, bonus;
  int cosine, cosine_low, sine, sine_low;  // of its phase
  int lagged_key;                          // of the token before, scaled
  // Of a token, a float for each value column.
  int value, value_decay, value_decay_low;
  int lagged_value;
  // Of a token, a float for each key and for each value column of each input.
  int key_inputs, value_inputs;
  // Likewise where values erase: what they are erased by.
  int value_erase_read, value_erase_write;
  // Of a token, what the keys of each warp that shares them read of each value column: what is erased, and what the query
  // reads.
  int erased, read;
  int erased_keys;  // and what the columns of each warp with others read of each key, to be erased
  int running_max;  // m behind a token, and what its rounding took away
  int half_bytes;
  int reductions;  // behind both halves: what each warp has of a sum or maximum over keys, two of them in turn
  // The numbers of the tokens to come, as they stand in the tensors: of each, rows of keys and then rows of value columns.
  int stage, stage_slots, slot_bytes;
  int bytes;
};

RK_CONSTEXPR RecurrentLayout make_recurrent_layout(const RecurrentSizes& sizes) {
  RecurrentLayout layout{};
  layout.threads = 32 * sizes.warps;
  const int column_groups = sizes.value_tile / thread_columns;
  // A warp has no more than 32 groups of columns.
  layout.column_warps = !sizes.splits_columns         ? (column_groups + 31) / 32
                        : sizes.warps < column_groups ? sizes.warps
                                                      : column_groups;
  layout.key_warps = sizes.warps / layout.column_warps;
  layout.column_threads = column_groups / layout.column_warps;
  layout.row_threads = 32 / layout.column_threads * layout.key_warps;
  layout.thread_rows = (sizes.key_dim + layout.row_threads - 1) / layout.row_threads;
  layout.row_group = layout.thread_rows % 2 != 0 ? 1 : layout.thread_rows % 4 != 0 ? 2 : 4;
  layout.rows = layout.thread_rows * layout.row_threads;
  int offset = 0;
  int* const of_keys[] = {&layout.query,      &layout.key,         &layout.decay, &layout.decay_low,
                          &layout.erase_read, &layout.erase_write, &layout.bonus};
  for (int* const place : of_keys) {
    *place = offset;
    offset += layout.rows * 4;
  }
  int* const of_phase[] = {&layout.cosine, &layout.cosine_low, &layout.sine, &layout.sine_low};
  for (int* const place : of_phase) {
    *place = offset;
    offset += sizes.has_phase ? layout.rows * 4 : 0;
  }
  layout.lagged_key = offset;
  offset += sizes.writes_again ? layout.rows * 4 : 0;
  layout.key_inputs = offset;
  offset += sizes.inputs * layout.rows * 4;
  offset = (offset + 15) / 16 * 16;
  int* const of_columns[] = {&layout.value, &layout.value_decay, &layout.value_decay_low};
  for (int* const place : of_columns) {
    *place = offset;
    offset += sizes.value_tile * 4;
  }
  layout.lagged_value = offset;
  offset += sizes.writes_again ? sizes.value_tile * 4 : 0;
  layout.value_inputs = offset;
  offset += sizes.inputs * sizes.value_tile * 4;
  if (sizes.erases_values) {
    layout.value_erase_read = offset;
    layout.value_erase_write = offset + sizes.value_tile * 4;
    layout.erased_keys = offset + 2 * sizes.value_tile * 4;
    offset = (layout.erased_keys + layout.column_warps * layout.rows * 4 + 15) / 16 * 16;
  }
  layout.erased = offset;
  offset += layout.key_warps * sizes.value_tile * 4;
  layout.read = offset;
  offset += layout.key_warps * sizes.value_tile * 4;
  layout.running_max = offset;
  offset += sizes.has_running_max ? 16 : 0;
  layout.half_bytes = offset;
  layout.reductions = 2 * offset;
  layout.stage = layout.reductions + (sizes.reduces_keys ? (2 * sizes.warps * 4 + 15) / 16 * 16 : 0);
  layout.slot_bytes = (layout.rows * sizes.stage_keys + sizes.value_tile * sizes.stage_columns) * 4;
  if (sizes.stages_tokens) layout.stage_slots = most_staged_tokens;
  while (layout.stage_slots > 1 && layout.stage_slots * layout.slot_bytes > most_staged_bytes) layout.stage_slots /= 2;
  layout.bytes = layout.stage + (layout.stage_slots * layout.slot_bytes + 15) / 16 * 16;
  return layout;
}

}  // namespace rankone

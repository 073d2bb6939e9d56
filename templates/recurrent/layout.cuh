// SPDX-License-Identifier: MIT
// How a block of the recurrent family shares its part of the state among threads, and where a token's rows and columns
// stand in shared memory; the kernel and the host compute it by this one function.
#pragma once

#include "kernels/layout.cuh"

namespace rankone {

constexpr int thread_columns = 4;  // neighbouring value columns of a thread

struct RecurrentSizes {
  int warps, key_dim, value_tile;
  int inputs;         // token inputs that the elements of a full decay read; 0: there is none
  bool reduces_keys;  // formulas have sums or maxima over keys
  int token_steps;    // of a token
  bool value_major;   // the caller's states have the keys of a value column side by side
  int element_slopes;  // rows of slopes of elements where features are not one of each: of query and key, and of both of a pair
  bool is_normalised;  // the last thread of each row of a tile holds a value column of ones, which belongs to all tiles
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
  int column_threads, row_threads;  // that share the value columns, and the keys of each
  int thread_rows, row_group;       // keys of a thread: every `row_threads`-th group of so many neighbours
  int rows;                         // keys, and as many more as make that even
  // Of a token, a float for each key.
  int query, key, decay, decay_low, erase_read, erase_write, bonus;
  // Of a token, a float for each value column.
  int value, value_decay, value_decay_low;
  // Of a token, a float for each key and for each value column of each input.
  int key_inputs, value_inputs;
  // Of a token, what each warp's keys read of each value column: what is erased, and what the query reads.
  int erased, read;
  int half_bytes;
  int reductions;  // behind both halves: what each warp has of a sum or maximum over keys, two of them in turn
  int bytes;
};

RK_CONSTEXPR RecurrentLayout make_recurrent_layout(const RecurrentSizes& sizes) {
  RecurrentLayout layout{};
  layout.threads = 32 * sizes.warps;
  layout.column_threads = sizes.value_tile / thread_columns;
  layout.row_threads = layout.threads / layout.column_threads;
  layout.thread_rows = (sizes.key_dim + layout.row_threads - 1) / layout.row_threads;
  layout.row_group = !sizes.value_major || layout.thread_rows % 2 != 0 ? 1 : layout.thread_rows % 4 != 0 ? 2 : 4;
  layout.rows = layout.thread_rows * layout.row_threads;
  int offset = 0;
  int* const of_keys[] = {&layout.query,      &layout.key,         &layout.decay, &layout.decay_low,
                          &layout.erase_read, &layout.erase_write, &layout.bonus};
  for (int* const place : of_keys) {
    *place = offset;
    offset += layout.rows * 4;
  }
  layout.key_inputs = offset;
  offset += sizes.inputs * layout.rows * 4;
  offset = (offset + 15) / 16 * 16;
  int* const of_columns[] = {&layout.value, &layout.value_decay, &layout.value_decay_low};
  for (int* const place : of_columns) {
    *place = offset;
    offset += sizes.value_tile * 4;
  }
  layout.value_inputs = offset;
  offset += sizes.inputs * sizes.value_tile * 4;
  layout.erased = offset;
  offset += sizes.warps * sizes.value_tile * 4;
  layout.read = offset;
  offset += sizes.warps * sizes.value_tile * 4;
  layout.half_bytes = offset;
  layout.reductions = 2 * offset;
  layout.bytes = layout.reductions + (sizes.reduces_keys ? (2 * sizes.warps * 4 + 15) / 16 * 16 : 0);
  return layout;
}

}  // namespace rankone

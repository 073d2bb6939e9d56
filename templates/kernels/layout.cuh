// SPDX-License-Identifier: MIT
// Where each tile of a block stands in shared memory; the kernel and the host compute it by this one function.
#pragma once

#ifdef __CUDACC__
#define RK_CONSTEXPR __host__ __device__ constexpr
#else
#define RK_CONSTEXPR constexpr
#endif

namespace rankone {

inline constexpr int sub_chunk = 16;  // tokens that one step of the recurrence takes
// Bytes after each row of a tile: eight rows then start in eight different bank groups.
inline constexpr int row_padding = 16;
inline constexpr int max_layout_inputs = 6;
inline constexpr int combine_threads = 256;
inline constexpr int query_chunks = 4;  // that a block of a non-causal variant reads its state with

RK_CONSTEXPR int padded_keys(int key_dim) { return (key_dim + 15) / 16 * 16; }

struct LayoutSizes {
  int chunk, stages;
  int warps;
  int key_padded;  // K rounded up to 16
  int value_tile;
  int storage_bytes, operand_bytes;  // of an element of q, k, v, and of a tensor-core operand
  int key_decays;                    // decays of a token: one for each of the padded keys, or 1 for all
  bool reads_query;                  // false in the state-only role: no queries, no scores
  bool split_products;               // of float32 accuracy
  bool keeps_values;                 // as they came, beside what is written
  bool value_decays;                 // of a token, one for each value column
  // Of each token input that runs over keys or value columns: bytes of an element, and columns; 0: not staged.
  int input_bytes[max_layout_inputs], input_columns[max_layout_inputs];
};

struct Layout {
  // Within a stage, from its start.
  int query, key, value, inputs[max_layout_inputs], stage_bytes;
  // After the stages, from the start of the block's memory.
  int scaled_query, scaled_key;  // operands of the recurrence; equal to query, key when those are rewritten in place
  int written_value;             // likewise; equal to value where the formula's result takes its place
  int value_decay;               // per value column: float [chunk][value_tile]
  int weighted_value;            // operands: written values times what each keeps to its sub-chunk's end
  int value_span_decay, value_span_decay_low;  // as span_decay, float [chunk / 16][value_tile]
  int decay;                                   // per key: float [chunk][key_padded]; else float [chunk]
  int write;                                   // float [chunk]: write scale of each token
  int span_decay;               // decay over a sub-chunk: float [chunk / 16][key_padded], or 16 bytes each
  int span_decay_low;           // per key: what rounding took of it, for products of float32 accuracy
  int span_log;                 // its logarithm, in the state-only role
  int row_decay, column_decay;  // scalar decays, within the sub-chunk: up to each token, and after it; float [chunk]
  int scores;                   // operands [score_parts][chunk / 16][16][16]
  int score_parts;              // summed by whoever reads them
  int bytes;
  bool in_place, keeps_values;
};

RK_CONSTEXPR int tile_bytes(int rows, int columns, int element_bytes) {
  return rows * (columns * element_bytes + row_padding);
}

// Per-key scores are sums over the key columns: warps that no sub-chunk is left for take a part of the columns each.
RK_CONSTEXPR int count_score_parts(const LayoutSizes& sizes) {
  if (sizes.key_decays == 1) return 1;
  const int most = sizes.key_padded / 32;
  int parts = 1;
  while (2 * parts * (sizes.chunk / sub_chunk) <= sizes.warps && 2 * parts <= most) parts *= 2;
  return parts;
}

RK_CONSTEXPR Layout make_layout(const LayoutSizes& sizes) {
  Layout layout{};
  const int rows = sizes.chunk, keys = sizes.key_padded, spans = sizes.chunk / sub_chunk;
  int offset = 0;
  layout.query = offset;
  if (sizes.reads_query) offset += tile_bytes(rows, keys, sizes.storage_bytes);
  layout.key = offset;
  offset += tile_bytes(rows, keys, sizes.storage_bytes);
  layout.value = offset;
  offset += tile_bytes(rows, sizes.value_tile, sizes.storage_bytes);
  for (int i = 0; i < max_layout_inputs; ++i) {
    layout.inputs[i] = offset;
    if (sizes.input_bytes[i] != 0) offset += tile_bytes(rows, sizes.input_columns[i], sizes.input_bytes[i]);
  }
  layout.stage_bytes = offset;
  offset *= sizes.stages;

  const bool by_key = sizes.key_decays > 1;
  layout.in_place = !by_key || sizes.storage_bytes == sizes.operand_bytes;
  layout.scaled_query = offset;
  if (!layout.in_place && sizes.reads_query) offset += tile_bytes(rows, keys, sizes.operand_bytes);
  layout.scaled_key = offset;
  if (!layout.in_place) offset += tile_bytes(rows, keys, sizes.operand_bytes);

  layout.keeps_values = sizes.keeps_values;
  layout.written_value = offset;
  if (sizes.keeps_values) offset += tile_bytes(rows, sizes.value_tile, sizes.storage_bytes);

  layout.value_decay = offset;
  if (sizes.value_decays) offset += tile_bytes(rows, sizes.value_tile, 4);
  layout.weighted_value = offset;
  if (sizes.value_decays) offset += tile_bytes(rows, sizes.value_tile, sizes.operand_bytes);
  layout.value_span_decay = offset;
  if (sizes.value_decays) offset += spans * sizes.value_tile * 4;
  layout.value_span_decay_low = offset;
  if (sizes.value_decays && sizes.split_products) offset += spans * sizes.value_tile * 4;

  const int span_decay_bytes = (by_key ? sizes.key_decays : 4) * 4;  // of one number, a vector of 16 bytes
  layout.decay = offset;
  offset += by_key ? tile_bytes(rows, sizes.key_decays, 4) : rows * 4;
  layout.write = offset;
  offset += rows * 4;
  layout.span_decay = offset;
  offset += spans * span_decay_bytes;
  layout.span_decay_low = offset;
  if (by_key && sizes.split_products) offset += spans * span_decay_bytes;
  layout.span_log = offset;
  if (!sizes.reads_query) offset += spans * span_decay_bytes;
  layout.row_decay = offset;
  if (!by_key) offset += rows * 4;
  layout.column_decay = offset;
  if (!by_key) offset += rows * 4;
  layout.scores = offset;
  layout.score_parts = count_score_parts(sizes);
  if (sizes.reads_query) offset += layout.score_parts * tile_bytes(rows, sub_chunk, sizes.operand_bytes);
  layout.bytes = offset;
  return layout;
}

// Of a block that only reads a state with queries.
RK_CONSTEXPR Layout make_query_layout(const LayoutSizes& sizes) {
  Layout layout{};
  int offset = tile_bytes(sizes.chunk, sizes.key_padded, sizes.storage_bytes);
  for (int i = 0; i < max_layout_inputs; ++i) {
    layout.inputs[i] = offset;
    if (sizes.input_bytes[i] != 0) offset += tile_bytes(sizes.chunk, sizes.input_columns[i], sizes.input_bytes[i]);
  }
  layout.stage_bytes = layout.bytes = offset;
  layout.in_place = true;
  return layout;
}

}  // namespace rankone

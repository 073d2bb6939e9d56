// SPDX-License-Identifier: MIT
// Of the backward pass in chunks: how warps share its products, and where each tile of its blocks stands in shared memory;
// kernels and the host compute it by these functions.
#pragma once

#include "kernels/layout.cuh"
#include "recurrent/slope_layout.cuh"

namespace rankone {

constexpr int most_state_blocks = 8;  // of 16 keys each, that a warp holds of the state

RK_CONSTEXPR int padded_values(int value_dim) { return (value_dim + 15) / 16 * 16; }

struct BackwardSizes {
  int chunk, stages, warps;
  int key_padded, value_dim;
  int value_tile;                      // value columns that `gradients` has in a stage
  int storage_bytes, operand_bytes;    // of an element of q, k, v, and of a tensor-core operand
  int inputs;                          // that formulas read
  bool has_value;                      // a formula of what is written
  bool sums_rows;                      // formulas of keys and queries add to slopes of tokens' gates
  bool weighs_own;                     // a bonus
  bool by_key;                         // each key has a decay of its own
  int input_bytes[max_layout_inputs];  // of an element of each token input that runs over keys; 0: of others
};

// Blocks of 16 keys that each of so many warps takes.
RK_CONSTEXPR int key_blocks_of(const BackwardSizes& sizes, int warps) {
  return (sizes.key_padded / 16 + warps - 1) / warps;
}

// Of a block that has a chunk's gradients. Rows of warps have 16 tokens each, and those of a row share columns.
RK_CONSTEXPR int warp_rows(const BackwardSizes& sizes) { return sizes.chunk / sub_chunk; }
RK_CONSTEXPR int warp_columns(const BackwardSizes& sizes) { return sizes.warps / warp_rows(sizes); }

// Of a block that walks states: warps side by side over value columns, 16 each; the others share keys with them.
RK_CONSTEXPR int state_column_warps(const BackwardSizes& sizes) {
  int columns = 1;
  while (2 * columns <= sizes.warps && 16 * columns < sizes.value_dim) columns *= 2;
  while (columns > 1 && key_blocks_of(sizes, sizes.warps / columns) > most_state_blocks) columns /= 2;
  return columns;
}
RK_CONSTEXPR int state_tiles(const BackwardSizes& sizes) {
  const int columns = 16 * state_column_warps(sizes);
  return (sizes.value_dim + columns - 1) / columns;
}

struct StateWalkLayout {
  int key, value, stage_bytes;    // within a stage: q or k, and v or the outputs' slopes
  int inputs[max_layout_inputs];  // and, where decays are per key, what runs over keys
  int scaled;                     // operands [chunk][key_padded] of such decays; -1: in the place of q and k
  int decay, write;               // float [chunk]: log-decays and write scales
  int weight;                     // float [chunk]: what a token adds, on its way to the end that the walk goes to
  int chunk_decay;                // unrounded; per key those of sub-chunks, [chunk / 16][key_padded]
  int bytes;
};
RK_CONSTEXPR StateWalkLayout make_state_walk_layout(const BackwardSizes& sizes) {
  StateWalkLayout layout{};
  const int columns = 16 * state_column_warps(sizes);
  layout.value = tile_bytes(sizes.chunk, sizes.key_padded, sizes.storage_bytes);
  layout.stage_bytes = layout.value + tile_bytes(sizes.chunk, columns, sizes.storage_bytes);
  for (int i = 0; i < max_layout_inputs; ++i) {
    layout.inputs[i] = layout.stage_bytes;
    if (sizes.by_key && sizes.input_bytes[i] != 0)
      layout.stage_bytes += tile_bytes(sizes.chunk, sizes.key_padded, sizes.input_bytes[i]);
  }
  const int scaled = sizes.stages * layout.stage_bytes;
  const bool apart = sizes.by_key && sizes.storage_bytes != sizes.operand_bytes;
  layout.scaled = apart ? scaled : -1;
  layout.decay = scaled + (apart ? tile_bytes(sizes.chunk, sizes.key_padded, sizes.operand_bytes) : 0);
  layout.write = layout.decay + sizes.chunk * 4;
  layout.weight = layout.write + sizes.chunk * 4;
  layout.chunk_decay = layout.weight + sizes.chunk * 4;
  layout.bytes = layout.chunk_decay + (sizes.by_key ? warp_rows(sizes) * sizes.key_padded * 8 : 16);
  return layout;
}

struct GradientsLayout {
  int decay, write;             // float [chunk]: log-decays and write scales
  int sums;                     // exponents [chunk]: log-decays summed up to each token
  int read_decay, write_decay;  // float [chunk]: from the chunk's start to a query; from a token's write to the end
  int score_rows,
      score_columns;   // float [warp columns][chunk], [warp rows][chunk]: of products of scores and their slopes
  int reads, writes;   // float [warp columns][chunk]: of queries with their slopes, of keys with theirs
  int state_products;  // float [warps]: of the state before the chunk with the slopes of that behind it
  int log_slope;       // float [chunk]: of log-decays
  int own_slope;       // float [chunk]: of a token's query times its own key, under a bonus
  int value_inputs;    // float [warp columns][chunk][inputs]: what formulas of values add to slopes of inputs
  int row_inputs,
      row_write;  // float [chunk][inputs], [chunk]: formulas of keys and queries, and the write scale's slope
  // Decays per key:
  int key_decay;                 // float [chunk][key_padded]: of each token; then slopes of their logarithms
  int span_decay;                // float [chunk / 16][key_padded]: over a sub-chunk
  int span_slope;                // likewise: slopes of log-decays that later sub-chunks pass to all of its tokens
  int state_sums, write_sums;    // float [warp rows][key_padded]: as state_products and writes are
  int own_scores, score_parts;   // operands [parts][chunk][16]: scores within sub-chunks; then
  int own_slopes;                // float [chunk][16]: their slopes
  int scaled_query, scaled_key;  // operands: from the sub-chunk's start, to its end
  int written_key;               // operands: to the chunk's end
  int query, key;                // as they are multiplied
  int scores;                    // operands [chunk][chunk]
  int stages;                    // of value columns, one after the other; score slopes are where the first one was
  int slope, value, state, state_slope,
      stage_bytes;             // within a stage: of outputs [chunk], v [chunk], and [value_tile][K]
  int query_slope, key_slope;  // float [chunk][key_padded], where operands were
  int bytes;
};
// As count_score_parts() has it.
RK_CONSTEXPR int own_score_parts(const BackwardSizes& sizes) {
  int parts = 1;
  while (2 * parts * warp_rows(sizes) <= sizes.warps && 2 * parts <= sizes.key_padded / 32) parts *= 2;
  return parts;
}
RK_CONSTEXPR GradientsLayout make_gradients_layout(const BackwardSizes& sizes) {
  GradientsLayout layout{};
  const int row = sizes.chunk * 4, rows = warp_rows(sizes), columns = warp_columns(sizes);
  layout.write = layout.decay + row;
  layout.sums = layout.write + row;
  layout.read_decay = layout.sums + 2 * row;
  layout.write_decay = layout.read_decay + row;
  layout.score_rows = layout.write_decay + row;
  layout.score_columns = layout.score_rows + columns * row;
  layout.reads = layout.score_columns + rows * row;
  layout.writes = layout.reads + columns * row;
  layout.log_slope = layout.writes + columns * row;
  layout.own_slope = layout.log_slope + row;
  layout.state_products = layout.own_slope + (sizes.weighs_own ? row : 0);
  layout.value_inputs = layout.state_products + (sizes.warps + 3) / 4 * 16;
  const int value_inputs = sizes.has_value ? columns * row * sizes.inputs : 0;

  layout.row_inputs = layout.value_inputs + value_inputs;
  layout.row_write = layout.row_inputs + (sizes.sums_rows ? row * sizes.inputs : 0);
  int offset = layout.row_write + (sizes.sums_rows ? row : 0);
  const int keys = sizes.key_padded * 4, stored_tile = tile_bytes(sizes.chunk, sizes.key_padded, sizes.storage_bytes),
            operand_tile = tile_bytes(sizes.chunk, sizes.key_padded, sizes.operand_bytes);
  layout.key_decay = offset;
  layout.score_parts = sizes.by_key ? own_score_parts(sizes) : 1;
  if (sizes.by_key) {
    layout.span_decay = layout.key_decay + tile_bytes(sizes.chunk, sizes.key_padded, 4);
    layout.span_slope = layout.span_decay + rows * keys;
    layout.state_sums = layout.span_slope + rows * keys;
    layout.write_sums = layout.state_sums + rows * keys;
    layout.own_scores = layout.own_slopes = layout.write_sums + rows * keys;
    const int parts = layout.score_parts * tile_bytes(sizes.chunk, sub_chunk, sizes.operand_bytes),
              slopes = tile_bytes(sizes.chunk, sub_chunk, 4);
    offset = layout.own_scores + (parts > slopes ? parts : slopes);
  }
  layout.query = offset;
  layout.key = layout.query + stored_tile;
  offset = layout.key + stored_tile;
  const bool apart = sizes.storage_bytes != sizes.operand_bytes;
  layout.scaled_query = apart ? offset : layout.query;
  layout.scaled_key = apart ? offset + operand_tile : layout.key;
  if (sizes.by_key && apart) offset += 2 * operand_tile;
  layout.written_key = offset;
  if (sizes.by_key) offset += operand_tile;
  layout.scores = offset;
  const int score_bytes = tile_bytes(sizes.chunk, sizes.chunk, sizes.operand_bytes);
  layout.stages = layout.scores + score_bytes;
  layout.value = tile_bytes(sizes.chunk, sizes.value_tile, sizes.storage_bytes);
  layout.state = 2 * layout.value;
  layout.state_slope = layout.state + tile_bytes(sizes.value_tile, sizes.key_padded, sizes.operand_bytes);
  layout.stage_bytes = layout.state_slope + tile_bytes(sizes.value_tile, sizes.key_padded, sizes.operand_bytes);
  const int in_stages = sizes.stages * layout.stage_bytes;
  const int operands = layout.stages + (in_stages > score_bytes ? in_stages : score_bytes);

  layout.query_slope = layout.query;
  layout.key_slope = layout.query_slope + tile_bytes(sizes.chunk, sizes.key_padded, 4);
  const int slopes = layout.key_slope + tile_bytes(sizes.chunk, sizes.key_padded, 4);
  layout.bytes = operands > slopes ? operands : slopes;
  return layout;
}

// Gradients that several value heads or chunks have parts of, as floats of a token and value head, and of a chunk, value
// head and warp.
struct PartSizes {
  int key_dim;
  bool reads_key;
  int inputs, parameters;
  int input_width[max_slope_inputs];  // of those that value heads share; 0: of others
  int parameter_width[max_slope_parameters];
};
RK_CONSTEXPR SlopePart next_part(int width, int& offset) {
  const SlopePart part{offset, 0, width};
  offset += width;
  return part;
}
RK_CONSTEXPR SlopeLayout make_parts_layout(const PartSizes& sizes) {
  SlopeLayout layout{};
  layout.query = next_part(sizes.key_dim, layout.token_floats);
  layout.key = next_part(sizes.reads_key ? sizes.key_dim : 0, layout.token_floats);
  for (int i = 0; i < sizes.inputs; ++i) layout.inputs[i] = next_part(sizes.input_width[i], layout.token_floats);
  for (int i = 0; i < sizes.parameters; ++i)
    layout.parameters[i] = next_part(sizes.parameter_width[i], layout.sequence_floats);
  layout.token_floats = (layout.token_floats + 3) / 4 * 4;
  return layout;
}

}  // namespace rankone

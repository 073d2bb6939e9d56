// SPDX-License-Identifier: MIT
// What a block of the Hopper family consists of: its warpgroups and where things stand in shared memory. The kernel and
// the host compute it by this one function.
#pragma once

#include "kernels/layout.cuh"

namespace rankone {

inline constexpr int swizzle_row_bytes = 128;               // a row of a swizzled tile: what one swizzle pattern spans
inline constexpr int group_threads = 128, group_warps = 4;  // of a warpgroup
inline constexpr int consumer_columns = 64;                 // of V, of a consumer warpgroup: the 64 rows of a product
inline constexpr int block_keys = 64;                       // that a row of a swizzled tile holds, of 16 bits each
inline constexpr int product_depth = 16;  // keys or tokens that one product of 16-bit operands sums over
inline constexpr int warp_rows = 16;      // of a product's: a warp's value columns, or its queries
// Without a swizzle a product reads blocks of 8 rows by 8 elements of 16 bits, each in one piece.
inline constexpr int core_row_bytes = 16, core_bytes = 8 * core_row_bytes;
// Of a token in each gate warp: a sum of log-decays, which is an Exponent, and a write scale.
inline constexpr int exponent_bytes = 8, token_sum_bytes = exponent_bytes + 4;
// Of the prepare kernel: chunks that a block takes, and blocks that share a multiprocessor.
inline constexpr int prepare_stages = 2, prepare_chunks = 2, prepare_residents = 2;
inline constexpr int swizzle_atom_bytes = 1024;
// A record of an item: itself, then where its tensors start.
inline constexpr int source_bytes = 32, work_item_sources = 64;
inline constexpr int work_item_bytes = work_item_sources + source_bytes * (3 + max_layout_inputs);
inline constexpr int key_span = 2 * sub_chunk;  // tokens that one step of the state takes where decays are per key
inline constexpr int score_bytes = key_span * key_span * 2;
inline constexpr int score_part_floats = 3 * sub_chunk * sub_chunk;  // of a span: all but future keys' blocks
// Float16, per key: a span's unit, then a pair of scales for each token.
inline constexpr int span_unit_bytes = 16, token_range_bytes = 8;
inline constexpr int span_range_bytes = span_unit_bytes + token_range_bytes * key_span;
// Per key, queries meet keys at a half's end while no key of the block loses more than 2^-60 within the half: they are
// multiplied by up to 2^60, and keys by as little as 2^-60. The host refuses operands that would leave float32.
inline constexpr int anchor_log2_limit = 60;
inline constexpr int join_threads = 256;  // inline: a text without the kernel must not warn of it
inline constexpr int descriptor_bytes = 16, barrier_bytes = 8;
enum StageBarrier { full_barrier, ready_barrier, empty_barrier, stage_barriers };
enum NamedBarrier { gate_barrier = 1, producer_barrier = 2 };

struct HopperSizes {
  int chunk, stages;
  int cluster;  // blocks of neighbouring value tiles that share the work on keys; per key, else 1
  int key_dim, value_tile;
  int key_decays;                        // decays of a token: one for each of the padded keys, or 1 for all
  bool reads_query;                      // false in the state-only role: no queries, no scores
  bool has_gate_group;                   // false where what it leaves behind comes from the prepare kernel
  bool has_consumers;                    // false in that kernel
  bool range_scaled;                     // operands whose range wants scales: float16
  int input_bytes[max_layout_inputs];    // of an element of each token input; 0: there is none
  int input_columns[max_layout_inputs];  // of a token: the padded keys, or 1
};

struct HopperLayout {
  int key_padded;                                    // K rounded up to whole blocks of block_keys
  int rank_columns;                                  // of them, those whose keys the block works on
  int span;                                          // tokens that one step of the recurrence takes
  int gate_groups, consumer_groups;                  // warpgroups beside the producer
  int key_parts;                                     // warps that share a span's columns
  int score_parts;                                   // of a span: summed by whoever reads them
  int query, key, value, inputs[max_layout_inputs];  // within a stage; an input that is not per key as float [chunk]
  int scores;  // per key: [block of the cluster][span][part] of score_bytes; else one swizzled tile
  int decay;   // per key: float [block of the cluster][span][rank_columns]; else float [3][chunk]
  int row_decay, column_decay, chunk_decay;  // not per key: up to each token, from it to the end, and over all
  int range;  // float16, what a token's scores are multiplied with in the end: float [chunk]; per key span_range_bytes
              // of each span, key_range.cuh
  int stage_bytes;
  int prepared_bytes;  // of queries, keys, scores, decays and ranges, one behind the other
  int barriers;        // after the stages: full, ready, empty of each
  int sums;            // after the stages, not per key: float [gate warp][3][chunk]; of the prepare kernel: parts of
                       // scores, float [gate warps / 2][score_part_floats]
  int totals;          // state-only role, per key: float [span][rank_columns]
  int descriptors, work_items, work_item_slots;  // 16 bytes for each stage; records of items
  int lengths, chosen;  // of packed sequences: 4 bytes for each thread of the producer; one of them: 4 bytes
  int bytes, threads;
};

// K rounded up to whole blocks of keys.
RK_CONSTEXPR int padded_to_blocks(int key_dim) { return (key_dim + block_keys - 1) / block_keys * block_keys; }

RK_CONSTEXPR HopperLayout make_hopper_layout(const HopperSizes& sizes) {
  HopperLayout layout{};
  const int rows = sizes.chunk;
  const bool by_key = sizes.key_decays > 1;
  layout.key_padded = padded_to_blocks(sizes.key_dim);
  layout.rank_columns = layout.key_padded / sizes.cluster;
  layout.span = by_key ? key_span : sizes.chunk;
  layout.gate_groups = sizes.has_gate_group ? 1 : 0;
  layout.consumer_groups = sizes.has_consumers ? sizes.value_tile / consumer_columns : 0;
  const int spans = rows / layout.span;
  layout.key_parts = by_key ? group_warps / spans : 1;
  // What is prepared once and read by many blocks is summed before.
  layout.score_parts = sizes.has_gate_group && sizes.has_consumers ? layout.key_parts : 1;
  int offset = 0;
  layout.query = offset;
  if (sizes.reads_query) offset += rows * layout.key_padded * 2;
  layout.key = offset;
  offset += rows * layout.key_padded * 2;
  layout.value = offset;
  if (sizes.has_consumers) offset += rows * sizes.value_tile * 2;
  for (int i = 0; i < max_layout_inputs; ++i) {
    layout.inputs[i] = offset;
    if (sizes.input_columns[i] > 1) offset += rows * sizes.input_columns[i] / sizes.cluster * sizes.input_bytes[i];
  }
  layout.scores = offset;
  if (sizes.reads_query)
    offset += by_key ? sizes.cluster * spans * layout.score_parts * score_bytes : rows * swizzle_row_bytes;
  layout.decay = offset;
  offset += by_key ? spans * sizes.key_decays * 4 : 3 * rows * 4;
  layout.row_decay = layout.decay;
  layout.column_decay = layout.row_decay + rows * 4;
  layout.chunk_decay = layout.column_decay + rows * 4;
  layout.range = offset;
  if (sizes.range_scaled) offset += by_key ? spans * span_range_bytes : rows * 4;
  layout.prepared_bytes = layout.value + offset - layout.scores;
  for (int i = 0; i < max_layout_inputs; ++i) {
    if (sizes.input_columns[i] > 1 || sizes.input_bytes[i] == 0) continue;
    layout.inputs[i] = offset;
    offset += rows * 4;
  }
  layout.stage_bytes = (offset + swizzle_atom_bytes - 1) / swizzle_atom_bytes * swizzle_atom_bytes;
  offset = layout.stage_bytes * sizes.stages;
  layout.sums = offset;
  if (!by_key) offset += group_warps * rows * token_sum_bytes;
  if (!sizes.has_consumers) offset += group_warps / 2 * score_part_floats * 4;
  layout.totals = offset;
  if (by_key && !sizes.reads_query) offset += spans * layout.rank_columns * 4;
  layout.descriptors = (offset + descriptor_bytes - 1) / descriptor_bytes * descriptor_bytes;
  layout.work_items = layout.descriptors + descriptor_bytes * sizes.stages;
  layout.work_item_slots = sizes.stages + 2;
  layout.lengths = layout.work_items + work_item_bytes * layout.work_item_slots;
  layout.chosen = layout.lengths + 4 * group_threads;
  layout.barriers = layout.chosen + 8;
  layout.bytes = layout.barriers + stage_barriers * barrier_bytes * sizes.stages;
  layout.threads = group_threads * (1 + layout.gate_groups + layout.consumer_groups);
  return layout;
}

}  // namespace rankone

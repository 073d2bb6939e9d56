// SPDX-License-Identifier: MIT
// How the blocks of a cluster share the work on keys. They have the same stages in the same turn; each turns its own
// columns of q and k into operands and sends them, with the decays of these columns and its part of the scores, to the
// others.
#pragma once

#include "device/cluster.cuh"
#include "hopper/policy.cuh"

namespace rankone {

template <class T> RK_DEVICE int first_rank_column() {
  if constexpr (T::key_ranks == 1)
    return 0;
  else
    return block_rank() * T::layout.rank_columns;
}

// What a block sends of a stage: some of what stands in one place.
struct Piece {
  int offset, bytes;
};
template <class T> struct Pieces {
  static constexpr HopperLayout layout = T::layout;
  static constexpr bool has_queries = T::reads_query;
  static constexpr int key_blocks = T::rank_key_blocks, shared = has_queries ? 2 * key_blocks + 2 : key_blocks + 1,
                       count = shared + (T::range_scaled ? 1 : 0);
  static constexpr int row_bytes = T::span * swizzle_row_bytes, decay_bytes = layout.rank_columns * 4,
                       part_bytes = layout.score_parts * score_bytes,
                       range_bytes = T::range_scaled ? span_range_bytes : 0;  // each of a span
  static constexpr int bytes_of_span =
      (has_queries ? 2 * key_blocks * row_bytes + decay_bytes + part_bytes : key_blocks * row_bytes + decay_bytes) +
      range_bytes;

  static RK_DEVICE Piece at(int index, int rank, int spans) {
    if constexpr (T::range_scaled) {  // of one owner: a span's scale is that of all its columns
      if (index == shared) return {layout.range, spans * range_bytes};
    }
    const int key_block = rank * key_blocks + index % key_blocks;
    if (index < key_blocks) return {layout.key + key_block * T::chunk * swizzle_row_bytes, spans * row_bytes};
    if (index < 2 * key_blocks && has_queries)
      return {layout.query + key_block * T::chunk * swizzle_row_bytes, spans * row_bytes};
    if (index < shared - 1 || !has_queries) return {layout.decay + rank * T::spans * decay_bytes, spans * decay_bytes};
    return {layout.scores + rank * T::spans * part_bytes, spans * part_bytes};
  }
};

template <class T> RK_DEVICE int spans_of(int rows) { return (rows + T::span - 1) / T::span; }

// The gate warpgroup is done with its part of a chunk of `rows` tokens.
template <class T> RK_DEVICE void send_share(int base, int ready, int rows, int thread) {
  named_barrier_sync(gate_barrier, group_threads);
  const int rank = block_rank(), spans = spans_of<T>(rows);
  if (spans > 0 && thread < (T::cluster - 1) * Pieces<T>::count) {
    const int other = (rank + 1 + thread / Pieces<T>::count) % T::cluster;
    const Piece piece = Pieces<T>::at(thread % Pieces<T>::count, rank, spans);
    send_to_block(other, base + piece.offset, piece.bytes, ready);
  }
  if (thread < T::cluster && thread != rank) mbarrier_arrive_at(ready, thread);  // an empty chunk sends nothing
  if (thread == 0)
    mbarrier_arrive_expecting(ready, (T::cluster - 1) * spans * Pieces<T>::bytes_of_span);
  else
    mbarrier_arrive(ready);
}

}  // namespace rankone

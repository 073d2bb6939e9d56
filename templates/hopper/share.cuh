// SPDX-License-Identifier: MIT
// How the blocks of a cluster share the work on keys. They have the same stages in the same turn; each turns its own
// columns of q and k into operands and sends them, with the decays of these columns and its part of the scores, to the
// others.
#pragma once

#include "device/cluster.cuh"
#include "hopper/policy.cuh"

namespace rankone {

template <class T> RK_DEVICE int first_own_column() {
  if constexpr (T::key_owners == 1)
    return 0;
  else
    return block_rank() * T::layout.own_columns;
}

// What a block sends of a stage: some of what stands in one place.
struct Piece {
  int offset, bytes;
};
template <class T> struct Pieces {
  static constexpr HopperLayout layout = T::layout;
  static constexpr bool has_queries = T::role != Role::states;
  static constexpr int panels = T::own_panels, shared = has_queries ? 2 * panels + 2 : panels + 1,
                       count = shared + (T::narrow ? 1 : 0);
  static constexpr int row_bytes = T::span * panel_bytes, decay_bytes = layout.own_columns * 4,
                       part_bytes = layout.score_parts * score_bytes,
                       range_bytes = T::narrow ? 16 : 0;  // each of a span
  static constexpr int bytes_of_span =
      (has_queries ? 2 * panels * row_bytes + decay_bytes + part_bytes : panels * row_bytes + decay_bytes) +
      range_bytes;

  static RK_DEVICE Piece at(int index, int rank, int spans) {
    if constexpr (T::narrow) {  // of one owner: a span's scale is that of all its columns
      if (index == shared) return {layout.range, spans * range_bytes};
    }
    const int panel = rank * panels + index % panels;
    if (index < panels) return {layout.key + panel * T::chunk * panel_bytes, spans * row_bytes};
    if (index < 2 * panels && has_queries) return {layout.query + panel * T::chunk * panel_bytes, spans * row_bytes};
    if (index < shared - 1 || !has_queries) return {layout.decay + rank * T::spans * decay_bytes, spans * decay_bytes};
    return {layout.scores + rank * T::spans * part_bytes, spans * part_bytes};
  }
};

template <class T> RK_DEVICE int spans_of(int rows) { return (rows + T::span - 1) / T::span; }

// The helpers are done with their part of a chunk of `rows` tokens.
template <class T> RK_DEVICE void give_part(int base, int ready, int rows, int thread) {
  sync_threads(helper_barrier, group_threads);
  const int rank = block_rank(), spans = spans_of<T>(rows);
  if (spans > 0 && thread < (T::cluster - 1) * Pieces<T>::count) {
    const int other = (rank + 1 + thread / Pieces<T>::count) % T::cluster;
    const Piece piece = Pieces<T>::at(thread % Pieces<T>::count, rank, spans);
    send_to_block(other, base + piece.offset, piece.bytes, ready);
  }
  if (thread < T::cluster && thread != rank) barrier_arrive_at(ready, thread);  // an empty chunk sends nothing
  if (thread == 0)
    barrier_arrive_expecting(ready, (T::cluster - 1) * spans * Pieces<T>::bytes_of_span);
  else
    barrier_arrive(ready);
}

}  // namespace rankone

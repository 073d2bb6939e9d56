// SPDX-License-Identifier: MIT
// How the gate warps share spans and key columns, and what they add up over a segment.
#pragma once

#include "device/barrier.cuh"
#include "device/global.cuh"
#include "hopper/cluster_share.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/work_items.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

inline constexpr int warp_columns = 16;  // columns that a warp takes at a time

// Which columns a warp takes: those of blocks `part`, `part + parts`, ... of its span.
template <class T> struct KeyShare {
  static constexpr int parts = T::layout.key_parts;
  int span, part;
  RK_DEVICE explicit KeyShare(int warp) : span(warp % T::spans), part(warp / T::spans) {}
  template <class Visit> RK_DEVICE void for_each(const Visit& visit) const {
#pragma unroll 1
    for (int column = part * warp_columns; column < T::layout.rank_columns; column += parts * warp_columns)
      visit(column);
  }
};

// Sums of base-2 log-decays over an item, where states are kept.
template <class T> struct KeyTotals {
  static RK_DEVICE void clear(int warp) {
    const KeyShare<T> share(warp);
    if (lane_place().group != last_group) return;  // the lanes that will add
    share.for_each([&](int column) {
#pragma unroll
      for (int i = 0; i < warp_columns / 8; ++i) {
        shared_store<Pair>(
            T::layout.totals + (share.span * T::layout.rank_columns + column + 8 * i + 2 * lane_place().pair) * 4,
            Pair{0.0f, 0.0f});
      }
    });
  }
  static RK_DEVICE void store(const Arguments& arguments, const WorkItemRecord& item, int thread) {
    named_barrier_sync(gate_barrier, group_threads);
    if (item.value_column() < T::cluster * T::value_tile) {  // those of one block or cluster will do
      constexpr int columns = T::cluster == 1 ? T::key_dim : T::layout.rank_columns;
      const TotalsPlace<T> target(arguments, item);
      for (int column = thread; column < columns; column += group_threads) {
        float sum = 0.0f;
        for (int i = 0; i < T::spans; ++i)
          sum += shared_load<float>(T::layout.totals + (i * T::layout.rank_columns + column) * 4);
        target.store(first_rank_column<T>() + column, sum);
      }
    }
    if constexpr (T::cluster == 1) named_barrier_sync(gate_barrier, group_threads);  // else giving the part has one
  }
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// A consumer warpgroup: 64 value columns of the state, advanced a span of tokens at a time.
//
// o^T = S^T q^T + v^T P^T, then S^T = S^T decay + v^T k: the state is the left operand of the first product in place,
// so it never passes through shared memory.
#pragma once

#include "device/barrier.cuh"
#include "device/cluster.cuh"
#include "hopper/register_state.cuh"
#include "hopper/warp_tile.cuh"
#include "hopper/work_items.cuh"

namespace rankone {

// `Form` knows how the state takes a chunk: PerKey or PerToken.
template <class T, class Form> struct Consumer {
  RegisterState<T> state;
  Pipeline<T> pipeline;
  RK_DEVICE void run(const Arguments& arguments) {
    const int group = thread_index() / group_threads - 1 - T::layout.gate_groups;
    const int column =
        consumer_columns * group + warp_rows * (warp_index() % group_warps);  // of the block's tile, the warp's first
#pragma unroll 1
    for (;; pipeline.advance()) {
      mbarrier_wait(pipeline.ready(), pipeline.phase);
      {
        const StageDescriptor descriptor = StageDescriptor::read(pipeline.descriptor());
        if (descriptor.item.offset == 0) return;
        if (descriptor.first_token == 0) state.begin(arguments, descriptor.item, column);
      }
      const int rows = StageDescriptor::read(opaque(pipeline.descriptor())).rows;
      const int base = pipeline.base();
      const WarpTile<T> warp_tile{{base + T::layout.value}, column};
      if constexpr (T::decays_by_value)
        Form::advance(state, warp_tile, base, arguments, StageDescriptor::read(opaque(pipeline.descriptor())));
      else
        Form::advance(state, warp_tile, base, rows, arguments.scale);
      // Once more: registers are dearer.
      const StageDescriptor descriptor = StageDescriptor::read(opaque(pipeline.descriptor()));
      if constexpr (T::writes_output) {
        sync_warp();  // the warp tile holds o
        warp_tile.send(arguments, descriptor.item, descriptor.first_token, descriptor.rows);
      }
      if (descriptor.last) state.end(arguments, descriptor.item, column);
      mbarrier_arrive(pipeline.empty());
      if constexpr (T::cluster > 1) {              // for the others a lane will do
        sync_warp(redundant::where_output_meets);  // all lanes have read what the other blocks will write
        if (lane_index() < T::cluster && lane_index() != block_rank())
          mbarrier_arrive_at(pipeline.empty(), lane_index());
      }
    }
  }
};

}  // namespace rankone

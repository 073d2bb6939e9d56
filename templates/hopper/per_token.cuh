// SPDX-License-Identifier: MIT
// What the skeleton does with gates and state where a token's decay is one number.
#pragma once

#include "hopper/forward.cuh"
#include "hopper/own_products.cuh"
#include "hopper/token_gates.cuh"
#include "hopper/token_step.cuh"

namespace rankone {

template <class Gate> struct PerToken {
  template <class T> struct Gates {
    int thread, warp;
    float total = 0.0f;  // of an item's log-decays
    RK_DEVICE explicit Gates(int thread_of_group) : thread(thread_of_group), warp(thread_of_group / warp_size) {}

    RK_DEVICE void begin_stage() const {
      fence_async(redundant::where_rewriting_fences);  // wgmma reads what was copied
    }
    RK_DEVICE void clear_totals() { total = 0.0f; }
    RK_DEVICE void write_chunk(const StagePlace<T>& place) {
      if constexpr (T::rewrites) rewrite_chunk<T, Gate>(place, thread);
      write_token_chunk<T, Gate>(place, warp, total);
    }
    RK_DEVICE void store_totals(const Arguments& arguments, const WorkItemRecord& item) const {
      if (thread == 0 && item.value_column() == 0) TotalsPlace<T>(arguments, item).store(0, total);
    }
    RK_DEVICE void end_stage() const {
      if constexpr (T::weighted) sync_warp(redundant::where_rewriting_meets);  // the warp's sums are read
    }
  };

  template <class T>
  static RK_DEVICE void advance(RegisterState<T>& state, const WarpTile<T>& warp_tile, int base, int rows,
                                float scale) {
    if (rows > 0) TokenStep<T>(state, warp_tile, base).run(scale);
  }
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// What the skeleton does with gates and state where decays are per key.
#pragma once

#include "hopper/forward.cuh"
#include "hopper/key_gates.cuh"
#include "hopper/key_step.cuh"

namespace rankone {

template <class Gate> struct PerKey {
  template <class T> struct Gates {
    int thread, warp;
    [[maybe_unused]] Bisection bisection{};
    RK_DEVICE explicit Gates(int thread_of_group) : thread(thread_of_group), warp(thread_of_group / warp_size) {}

    RK_DEVICE void begin_stage() const {}
    RK_DEVICE void clear_totals() const { KeyTotals<T>::clear(warp); }
    RK_DEVICE void write_chunk(const StagePlace<T>& place) const { write_key_chunk<T, Gate>(place, warp, bisection); }
    RK_DEVICE void store_totals(const Arguments& arguments, const WorkItemRecord& item) const {
      KeyTotals<T>::store(arguments, item, thread);
    }
    RK_DEVICE void end_stage() const {}
  };

  template <class T>
  static RK_DEVICE void advance(RegisterState<T>& state, const WarpTile<T>& warp_tile, int base, int rows,
                                float scale) {
#pragma unroll 1
    for (int span = 0; span < T::spans && span * T::span < rows; ++span)
      KeyStep<T>(state, warp_tile, base, span).run(scale);
  }
};

}  // namespace rankone

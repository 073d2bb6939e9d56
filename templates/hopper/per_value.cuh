// SPDX-License-Identifier: MIT
// What the skeleton does with gates and state where value columns decay, each at its own pace: alone, or beside keys.
#pragma once

#include "hopper/column_step.cuh"
#include "hopper/per_key.cuh"
#include "hopper/per_token.cuh"

namespace rankone {

template <class T, class Gate>
RK_DEVICE void advance_columns(RegisterState<T>& state, const WarpTile<T>& warp_tile, int base,
                               const Arguments& arguments, const StageDescriptor& descriptor) {
  const ColumnPlace<T> place(arguments, descriptor, base);
#pragma unroll 1
  for (int span = 0; span * column_span < place.rows; ++span) ColumnStep<T, Gate>(state, warp_tile, place, span).run();
}

// Nothing but columns decays: scores are those of tokens that do not.
template <class Gate> struct PerValue {
  struct Sides : Gate {
    template <class At> static RK_DEVICE float log_decay(const At&) { return 0.0f; }
    template <class At> static RK_DEVICE float log_decay_of_column(const At& at) { return Gate::log_decay(at); }
  };
  template <class T> using Gates = typename PerToken<Sides>::template Gates<T>;

  template <class T>
  static RK_DEVICE void advance(RegisterState<T>& state, const WarpTile<T>& warp_tile, int base,
                                const Arguments& arguments, const StageDescriptor& descriptor) {
    advance_columns<T, Sides>(state, warp_tile, base, arguments, descriptor);
  }
};

template <class Gate> struct PerKeyAndValue {
  struct Sides : Gate {
    template <class At> static RK_DEVICE float log_decay(const At& at) { return Gate::log_decay_of_key(at); }
    template <class At> static RK_DEVICE float log_decay_of_column(const At& at) {
      return Gate::log_decay_of_value(at);
    }
  };
  template <class T> using Gates = typename PerKey<Sides>::template Gates<T>;

  template <class T>
  static RK_DEVICE void advance(RegisterState<T>& state, const WarpTile<T>& warp_tile, int base,
                                const Arguments& arguments, const StageDescriptor& descriptor) {
    advance_columns<T, Sides>(state, warp_tile, base, arguments, descriptor);
  }
};

}  // namespace rankone

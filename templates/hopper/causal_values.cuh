// SPDX-License-Identifier: MIT
// Values that are not finite. A future token's score is zero, and zero times infinity would spoil the outputs before it:
// where a warp finds such a value, the scores meet a zero in its place, and the outputs from its token on are no numbers.
// So is, where the state meets that zero too, its column of the state.
#pragma once

#include "hopper/swizzled_tile.cuh"
#include "kernels/fragment.cuh"
#include "kernels/read.cuh"

namespace rankone {

template <class T, int blocks> struct CausalValues {
  using Operand = typename T::Storage;
  const SwizzledTile<Operand, T::chunk>& tile;
  int column, first;  // the warp's first value column; the first of 16 tokens for each block

  RK_DEVICE void load(unsigned (&v)[blocks][4]) const {
#pragma unroll
    for (int block = 0; block < blocks; ++block)
      load_matrix_x4_transposed(v[block], tile.transposed_place(first + product_depth * block, column));
  }
  // Whether any is not finite, of these or of their multiples. Warp-wide.
  static RK_DEVICE bool are_spoilt(const unsigned (&v)[blocks][4]) {
    SpoiltWords<Operand> spoilt;
#pragma unroll
    for (int i = 0; i < 4 * blocks; ++i) spoilt.add(v[i / 4][i % 4]);
    return any_lane(spoilt.any());
  }
  static RK_DEVICE void clear_spoilt(unsigned (&v)[blocks][4]) {
#pragma unroll
    for (int i = 0; i < 4 * blocks; ++i) v[i / 4][i % 4] = finite_halves<Operand>(v[i / 4][i % 4]);
  }
  // The same where the state meets these, too.
  template <int key_blocks>
  RK_DEVICE void clear_spoilt(unsigned (&v)[blocks][4], float (&state)[key_blocks][32]) const {
    clear_spoilt(v);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const bool spoilt = first_spoilt(half) < product_depth * blocks;
#pragma unroll
      for (int i = 0; i < 16 * key_blocks; ++i) {
        float& value = state[i / 16][i % 16 / 2 * 4 + 2 * half + i % 2];
        if (spoilt) value = not_a_number();
      }
    }
  }
  // Of an accumulator o^T, as long as the tile still holds v.
  RK_DEVICE void spoil(float (&o)[8 * blocks]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int from = first_spoilt(half) - opaque(lane_index()) % 4 * 2;
      if constexpr (T::has_own_weights || !T::reads_earlier) {
#pragma unroll
        for (int i = 0; i < 4 * blocks; ++i)
          if (i / 2 * 8 + i % 2 >= from) o[i / 2 * 4 + 2 * half + i % 2] = not_a_number();
      } else {
#pragma unroll
        for (int i = 0; i < 4 * blocks; ++i)
          if (i / 2 * 8 + i % 2 > from) o[i / 2 * 4 + 2 * half + i % 2] = not_a_number();
      }
    }
    sync_warp();  // before o comes into its place
  }

 private:
  // Token of a value column of the lane.
  RK_DEVICE int first_spoilt(int half) const {
    const SwizzledTile<Operand, T::chunk> values{
        opaque(tile.offset)};  // nothing of this rare case is kept in registers
    const int at = opaque(column) + opaque(lane_index()) / 4 + 8 * half;
    int token = 0;
#pragma unroll 1
    while (token < product_depth * blocks && is_finite(values.load(opaque(first) + token, at))) ++token;
    return token;
  }
};

}  // namespace rankone

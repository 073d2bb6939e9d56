// SPDX-License-Identifier: MIT
// Operands of the tensor cores in one shape for bf16 and tf32, so that a skeleton is written once.
//
// A Quad holds 16 rows or columns (of m or n) by `depth` steps of the summed index:
//   r0 (low 8, first half), r1 (high 8, first half), r2 (low 8, second half), r3 (high 8, second half).
// As the left operand it is all of a; as the right one, r0 and r2 are columns 0..7, r1 and r3 columns 8..15.
// For tf32 a step sums 8 indices in the order 0 2 4 6 | 1 3 5 7, on both sides: an accumulator then becomes an operand
// in place, and rows are read in pairs.
#pragma once

#include "device/matrix.cuh"
#include "device/tile.cuh"

namespace rankone {

template <class Operand> struct Quad;
template <> struct Quad<bf16> {
  static constexpr int depth = 16;
  unsigned r[4];
};
template <> struct Quad<f16> {
  static constexpr int depth = 16;
  unsigned r[4];
};
template <> struct Quad<float> {
  static constexpr int depth = 8;
  float r[4];
};

struct LanePlace {
  int group, pair;  // lane / 4, lane % 4
};
inline constexpr int last_group = 7;
RK_DEVICE int lane_at(int group, int pair) { return 4 * group + pair; }
RK_DEVICE LanePlace lane_place() { return {lane_index() / 4, lane_index() % 4}; }
// Worked out anew where it is used: there registers are dearer.
RK_DEVICE LanePlace lane_place_again() {
  const int lane = opaque(lane_index());
  return {lane / 4, lane % 4};
}

// 16 rows from `row`, summed along columns from `column`.
template <class Operand, class T, int columns>
RK_DEVICE Quad<Operand> load_quad(const Tile<T, columns>& tile, int row, int column) {
  Quad<Operand> quad;
  if constexpr (sizeof(Operand) == 2) {
    const int lane = lane_index();
    load_matrix_x4(quad.r, tile.at(row + lane % 16, column + lane / 16 * 8));
  } else {
    const LanePlace place = lane_place();
    load_pair(tile, row + place.group, column + 2 * place.pair, quad.r[0], quad.r[2]);
    load_pair(tile, row + place.group + 8, column + 2 * place.pair, quad.r[1], quad.r[3]);
  }
  return quad;
}

// 16 columns from `column`, summed along rows from `row`.
template <class Operand, class T, int columns>
RK_DEVICE Quad<Operand> load_quad_transposed(const Tile<T, columns>& tile, int row, int column) {
  Quad<Operand> quad;
  if constexpr (sizeof(Operand) == 2) {
    const int lane = lane_index();
    load_matrix_x4_transposed(quad.r, tile.at(row + lane % 8 + lane / 16 * 8, column + lane / 8 % 2 * 8));
  } else {
    const LanePlace place = lane_place();
    quad.r[0] = tile.load(row + 2 * place.pair, column + place.group);
    quad.r[1] = tile.load(row + 2 * place.pair, column + place.group + 8);
    quad.r[2] = tile.load(row + 2 * place.pair + 1, column + place.group);
    quad.r[3] = tile.load(row + 2 * place.pair + 1, column + place.group + 8);
  }
  return quad;
}

// An m16n8 accumulator pair (bf16: n 0..15, tf32: n 0..7) read as 16 rows summed along its columns.
RK_DEVICE Quad<bf16> quad_of(const float (&first)[4], const float (&second)[4]) {
  return {{pack_bf16(first[0], first[1]), pack_bf16(first[2], first[3]), pack_bf16(second[0], second[1]),
           pack_bf16(second[2], second[3])}};
}
RK_DEVICE Quad<float> quad_of(const float (&only)[4]) { return {{only[0], only[2], only[1], only[3]}}; }

// Multiplies the summed index's steps by `factor(step)`.
template <class Factor> RK_DEVICE void scale_steps(Quad<bf16>& quad, const Factor& factor) {
  const int pair = lane_place().pair;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float first = factor(half * 8 + 2 * pair), second = factor(half * 8 + 2 * pair + 1);
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      float low, high;
      Element<bf16>::unpack(quad.r[2 * half + side], low, high);
      quad.r[2 * half + side] = pack_bf16(low * first, high * second);
    }
  }
}
template <class Factor> RK_DEVICE void scale_steps(Quad<float>& quad, const Factor& factor) {
  const int pair = lane_place().pair;
  const float first = factor(2 * pair), second = factor(2 * pair + 1);
  quad.r[0] *= first;
  quad.r[1] *= first;
  quad.r[2] *= second;
  quad.r[3] *= second;
}

// c += a b for columns 8 * half .. 8 * half + 7 of b. `split` adds the products of what tf32 rounds away: that rest has
// so few digits that the tensor cores, which ignore the low bits of an operand, may take it unrounded.
template <bool split> RK_DEVICE void multiply(float (&c)[4], const Quad<bf16>& a, const Quad<bf16>& b, int half) {
  mma_bf16(c, a.r, half == 0 ? b.r[0] : b.r[1], half == 0 ? b.r[2] : b.r[3]);
}
template <bool split> RK_DEVICE void multiply(float (&c)[4], const Quad<float>& a, const Quad<float>& b, int half) {
  unsigned high[4], low[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    high[i] = to_tf32(a.r[i]);
    if constexpr (split) low[i] = as_bits(a.r[i] - as_float(high[i]));
  }
  const float first = half == 0 ? b.r[0] : b.r[1], second = half == 0 ? b.r[2] : b.r[3];
  const unsigned b0 = to_tf32(first), b1 = to_tf32(second);
  if constexpr (split) {
    mma_tf32(c, low, b0, b1);
    mma_tf32(c, high, as_bits(first - as_float(b0)), as_bits(second - as_float(b1)));
  }
  mma_tf32(c, high, b0, b1);
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Of the backward pass in chunks: products of a sub-chunk's scores, or of their slopes, with its own tokens.
//
// Where a query does not read a key the score is zero, and zero times infinity would reach a token that the recurrence does
// not reach: where a warp finds something that is not finite, the scores meet a zero in its place, and what they do reach is
// no number.
#pragma once

#include "kernels/fragment.cuh"
#include "kernels/read.cuh"

namespace rankone {

// The first of 16 columns of a tile: warps that share tokens have theirs `step` apart.
struct WarpColumns {
  int step, start;
};
template <class T> RK_DEVICE int first_token_of(int warp) { return warp / T::columns * sub_chunk; }
template <class T> RK_DEVICE int first_column_of(int warp, WarpColumns columns) {
  return warp % T::columns * columns.step + columns.start;
}

// The rows that are multiplied, 16 columns of each.
template <class T> struct OwnTokens {
  using Operand = typename T::Operand;
  static constexpr int depth = Quad<Operand>::depth, steps = sub_chunk / depth;
  Quad<Operand> rows[steps];

  template <class Rows> RK_DEVICE void load(const Rows& tile, int first, int column) {
#pragma unroll
    for (int step = 0; step < steps; ++step)
      rows[step] = load_quad_transposed<Operand>(tile, first + step * depth, column);
  }
  // Warp-wide.
  RK_DEVICE bool are_spoilt() const {
    bool found = false;
    if constexpr (sizeof(Operand) == 2) {
      SpoiltWords<Operand> spoilt;
#pragma unroll
      for (int i = 0; i < 4; ++i) spoilt.add(rows[0].r[i]);
      found = spoilt.any();
    } else {
      float sum = 0.0f;  // of products with zero
#pragma unroll
      for (int i = 0; i < 4 * steps; ++i) sum = multiply_add(rows[i / 4].r[i % 4], 0.0f, sum);
      found = sum != 0.0f;
    }
    return any_lane(found);
  }
  RK_DEVICE void clear_spoilt() {
#pragma unroll
    for (int i = 0; i < 4 * steps; ++i) {
      auto& element = rows[i / 4].r[i % 4];
      if constexpr (sizeof(Operand) == 2)
        element = finite_halves<Operand>(element);
      else
        element = is_finite(element) ? element : 0.0f;
    }
  }
};

// The scores of 16 queries and keys: their rows are queries, or keys with slopes of what they write.
template <class T, bool of_keys> struct OwnScores {
  using Operand = typename T::Operand;
  static constexpr int depth = Quad<Operand>::depth, steps = sub_chunk / depth;
  Quad<Operand> scores[steps];

  template <class Scores> RK_DEVICE OwnScores(const Scores& tile, int first) {
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      if constexpr (of_keys)
        scores[step] = load_quad_transposed<Operand>(tile, first + step * depth, first);
      else
        scores[step] = load_quad<Operand>(tile, first, first + step * depth);
    }
  }
  // block += scores times rows of the tile. `last(query)`: the last key that counts.
  template <class Rows, class Last>
  RK_DEVICE void add_to(float (&block)[2][4], const Rows& tile, WarpColumns columns, const Last& last) const {
    OwnTokens<T> tokens;
    tokens.load(tile, first_token_of<T>(warp_index()), first_column_of<T>(warp_index(), columns));
    const bool spoilt = tokens.are_spoilt();
    if (spoilt) tokens.clear_spoilt();
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      multiply<T::split_products>(block[0], scores[step], tokens.rows[step], 0);
      multiply<T::split_products>(block[1], scores[step], tokens.rows[step], 1);
    }
    if (spoilt) spoil(block, tile, columns, last);
  }

 private:
  template <class Rows, class Last>
  static RK_DEVICE void spoil(float (&block)[2][4], const Rows& tile, WarpColumns columns, const Last& last) {
    const int warp = opaque(warp_index()), first = first_token_of<T>(warp), column = first_column_of<T>(warp, columns);
    const LanePlace lane = lane_place_again();  // nothing of this rare case is kept in registers
#pragma unroll 1
    for (int token = 0; token < sub_chunk; ++token) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float element[2];
        load_pair(tile, first + token, column + half * 8 + 2 * lane.pair, element[0], element[1]);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int row = lane.group + i / 2 * 8;
          const bool counts = of_keys ? row <= last(token) : token <= last(row);
          if (counts && !is_finite(element[i % 2])) block[half][i] = not_a_number();
        }
      }
    }
  }
};

}  // namespace rankone

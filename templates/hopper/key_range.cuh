// SPDX-License-Identifier: MIT
// Per-key decays in float16: a span's queries and keys are scaled by its largest elements before they are decayed.
//
//   keys     to below 2^15, so that decayed ones keep their digits; the state is kept in their units
//   queries  to where they stay below 2^15 when anchored at the span's end, which is done up to a growth of 2^20
//   scores   come out in the units of both, and to below 2^15 as K products of such
#pragma once

#include "hopper/gates.cuh"
#include "hopper/range.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

inline constexpr int anchored_octaves = 20;

template <class T> struct SpanRange {
  using Operand = typename T::Storage;
  using Tile = Panels<Operand, T::chunk>;
  static constexpr bool wants_scores = T::role != Role::states;
  static constexpr bool measures = T::narrow && (wants_scores || T::reads_key);
  static constexpr int octaves_of_sum = T::layout.key_padded <= 64 ? 6 : T::layout.key_padded <= 128 ? 7 : 8;
  // From the units of queries and keys to those of scores.
  static constexpr int units_to_scores = anchored_octaves - 15 - octaves_of_sum;
  int query = 0, key = 0;  // powers of two above all magnitudes

  static RK_DEVICE int exponent_above_all(int tile, int first_row) {
    const int block = Tile{tile}.block_place(first_row, 0);
    LargestPacked packed;
#pragma unroll 4
    for (int column = 0; column < T::layout.key_padded; column += 16) {
      Quad<Operand> quad;
      load_matrix_x4(quad.r, Tile::moved(block, column));
#pragma unroll
      for (int word = 0; word < 4; ++word) packed.add(quad.r[word]);
    }
    unsigned largest = packed.of_warp();
    if (largest >= 0x7c00u) {  // what is not finite must not drown its neighbours
      packed = {};
#pragma unroll 1
      for (int column = 0; column < T::layout.key_padded; column += 16) {
        Quad<Operand> quad;
        load_matrix_x4(quad.r, Tile::moved(block, column));
#pragma unroll
        for (int word = 0; word < 4; ++word) packed.add(finite_halves(quad.r[word]));
      }
      largest = packed.of_warp();
    }
    return static_cast<int>(largest >> 10) - 14;
  }
  RK_DEVICE void measure(int base, int first_row) {
    static_assert(T::cluster == 1, "a span's scale is that of all its columns");
    if constexpr (wants_scores) query = exponent_above_all(base + T::layout.query, first_row);
    if constexpr (T::reads_key) key = exponent_above_all(base + T::layout.key, first_row);
    key = (key + T::key_octaves + 3) & ~3;  // in steps of 4, so that the state seldom changes its units
  }

  RK_DEVICE int unit() const { return key - 15; }
  RK_DEVICE float key_factor() const { return power_of_two(15 - key); }
  RK_DEVICE float query_factor() const { return power_of_two(15 - anchored_octaves - query); }
  static RK_DEVICE float score_factor() { return power_of_two(units_to_scores); }
  // What scores are to be multiplied with in the end.
  RK_DEVICE float score_scale() const { return power_of_two(query + key + octaves_of_sum - 15); }
  // From the state's part of the output, read as values / 2^exponent, to the units of the scores'.
  static RK_DEVICE float part_factor(int exponent) { return power_of_two(exponent + units_to_scores); }

  // For the state's warpgroups; all 16 bytes, so that bulk copies may take them along.
  RK_DEVICE void leave(int offset) const {
    shared_store<Vector16>(offset, Vector16{{as_bits(score_scale()), static_cast<unsigned>(unit()), 0, 0}});
  }
};

}  // namespace rankone

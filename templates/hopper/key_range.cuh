// SPDX-License-Identifier: MIT
// Per-key decays in float16: a span's queries and keys are scaled by its largest elements before they are decayed.
//
//   keys     to below 2^15, so that decayed ones keep their digits; the state is kept in their units
//   queries  likewise
//   scores   come out in the units of both, and to below 2^15 as K products of such
#pragma once

#include "hopper/gates.cuh"
#include "hopper/range.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

template <class T> struct SpanRange {
  using Operand = typename T::Storage;
  using Tile = SwizzledTile<Operand, T::chunk>;
  static constexpr bool wants_scores = T::reads_query;
  static constexpr bool measures = T::range_scaled && (wants_scores || T::reads_key);
  static constexpr int log2_of_terms = T::layout.key_padded <= 64 ? 6 : T::layout.key_padded <= 128 ? 7 : 8;
  // From the units of queries and keys to those of scores.
  static constexpr int units_to_scores = -15 - log2_of_terms;
  int query = 0, key = 0;  // powers of two above all magnitudes

  // Of packed magnitudes in a span's rows, the finite ones alone or all.
  template <bool finite> static RK_DEVICE unsigned largest_of(int tile, int first_row) {
    const int block = Tile{tile}.block_place(first_row, 0);
    LargestPacked largest;
#pragma unroll 2
    for (int column = 0; column < T::layout.key_padded; column += 16) {
#pragma unroll
      for (int row = 0; row < T::span; row += sub_chunk) {
        Quad<Operand> quad;
        load_matrix_x4(quad.r, Tile::moved(block, column) + row * swizzle_row_bytes);
#pragma unroll
        for (int word = 0; word < 4; ++word) largest.add(finite ? finite_halves<Operand>(quad.r[word]) : quad.r[word]);
      }
    }
    return largest.of_warp();
  }
  static RK_DEVICE int exponent_above_all(int tile, int first_row) {
    unsigned largest = largest_of<false>(tile, first_row);
    if (largest >= 0x7c00u) largest = largest_of<true>(tile, first_row);  // what is not finite must not drown the rest
    return static_cast<int>(largest >> 10) - 14;
  }
  RK_DEVICE void measure(int base, int first_row) {
    static_assert(T::cluster == 1, "a span's scale is that of all its columns");
    if constexpr (wants_scores) query = exponent_above_all(base + T::layout.query, first_row);
    if constexpr (T::reads_key) key = exponent_above_all(base + T::layout.key, first_row);
    key = (key + T::key_growth_log2 + 3) & ~3;  // in steps of 4, so that the state seldom changes its units
  }

  RK_DEVICE int unit() const { return key - 15; }
  RK_DEVICE float key_factor() const { return power_of_two(15 - key); }
  RK_DEVICE float query_factor() const { return power_of_two(15 - query); }
  static RK_DEVICE float score_factor() { return power_of_two(units_to_scores); }
  // What scores are to be multiplied with in the end.
  RK_DEVICE float score_scale() const { return power_of_two(query + key + log2_of_terms - 15); }
  // From the state's part of the output, read as values / 2^exponent, to the units of the scores'.
  static RK_DEVICE float part_factor(int exponent) { return power_of_two(exponent + units_to_scores); }

  // For the state's warpgroups; all 16 bytes, so that bulk copies may take them along.
  RK_DEVICE void store(int offset) const {
    shared_store<Vector16>(offset, Vector16{{as_bits(score_scale()), static_cast<unsigned>(unit()), 0, 0}});
  }
};

}  // namespace rankone

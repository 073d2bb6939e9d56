// SPDX-License-Identifier: MIT
// Per-key decays in float16: queries and keys are scaled by their largest elements before they are decayed.
//
//   keys     by a span's largest to below 2^15, so that decayed ones keep their digits; the state is kept in their units
//   queries  each by its own largest, likewise
//   scores   a query's by its largest element and that of the keys up to it, to below 2^15 as K products of such
//
// Nothing that an output is made of has a scale that a later token decides.
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
  static constexpr int unit_step = 4;       // of a span, so that the state seldom changes its units
  static constexpr int held = T::span / 8;  // rows of a lane: `group`, `group + 8`, ...
  // Powers of two above all magnitudes: of each query, of all keys, and of keys up to each row.
  int query[held] = {}, key = 0, keys_until[held] = {};

  // Of packed magnitudes in the lane's rows, the finite ones alone or all.
  template <bool finite> static RK_DEVICE void largest_of(unsigned (&largest)[held], int tile, int first_row) {
    const int block = Tile{tile}.block_place(first_row, 0);
    LargestPacked rows[held];
#pragma unroll 2
    for (int column = 0; column < T::layout.key_padded; column += product_depth) {
#pragma unroll
      for (int half = 0; half < held / 2; ++half) {
        Quad<Operand> quad;
        load_matrix_x4(quad.r, Tile::moved(block, column) + half * sub_chunk * swizzle_row_bytes);
#pragma unroll
        for (int word = 0; word < 4; ++word)
          rows[2 * half + word % 2].add(finite ? finite_halves<Operand>(quad.r[word]) : quad.r[word]);
      }
    }
#pragma unroll
    for (int i = 0; i < held; ++i) largest[i] = rows[i].of_quad();
  }
  static RK_DEVICE void exponents_above(int (&exponents)[held], int tile, int first_row) {
    unsigned largest[held], most = 0;
    largest_of<false>(largest, tile, first_row);
#pragma unroll
    for (int i = 0; i < held; ++i) most = largest[i] > most ? largest[i] : most;
    // What is not finite must not drown the rest.
    if (any_lane(most >= f16_infinity_bits)) largest_of<true>(largest, tile, first_row);
#pragma unroll
    for (int i = 0; i < held; ++i) exponents[i] = static_cast<int>(largest[i] >> f16_fraction_bits) + f16_normal_log2;
  }
  // From those of each row to those of all up to it; returns that of all.
  static RK_DEVICE int accumulate(int (&exponents)[held]) {
    const int lane = lane_index();
    int before = f16_normal_log2;
#pragma unroll
    for (int i = 0; i < held; ++i) {
      float most = static_cast<float>(exponents[i]);
#pragma unroll
      for (int distance = 4; distance < warp_size; distance *= 2) {
        const float other = shuffle_up(most, distance);
        if (lane >= distance && other > most) most = other;
      }
      const int all = static_cast<int>(most);
      exponents[i] = all > before ? all : before;
      before = static_cast<int>(shuffle(static_cast<float>(exponents[i]), warp_size - 1));
    }
    return before;
  }
  RK_DEVICE void measure(int base, int first_row) {
    static_assert(T::cluster == 1, "a span's scale is that of all its columns");
    if constexpr (wants_scores) exponents_above(query, base + T::layout.query, first_row);
    if constexpr (T::reads_key) {
      exponents_above(keys_until, base + T::layout.key, first_row);
      key = accumulate(keys_until);
    }
#pragma unroll
    for (int i = 0; i < held; ++i) keys_until[i] += T::key_growth_log2;
    key = (key + T::key_growth_log2 + unit_step - 1) & -unit_step;
  }

  RK_DEVICE int unit() const { return key - f16_most_log2; }
  RK_DEVICE float key_factor() const { return power_of_two(f16_most_log2 - key); }
  RK_DEVICE float query_factor(int row) const { return power_of_two(f16_most_log2 - query[row]); }
  // From the units of a query and of the span's keys to those of its scores.
  RK_DEVICE float score_factor(int row) const {
    return power_of_two(key - keys_until[row] - f16_most_log2 - log2_of_terms);
  }

  // For the state's warpgroups, after the unit of each span, per token: from the state's part of the output, as an
  // operand of values, to the units of its scores; and what these are to be multiplied with in the end.
  static RK_DEVICE int place_of(int offset, int token) { return offset + span_unit_bytes + token_range_bytes * token; }
  RK_DEVICE void store(int offset) const {
    const LanePlace lane = lane_place();
    if (lane_index() == 0) shared_store<Vector16>(offset, Vector16{{static_cast<unsigned>(unit()), 0, 0, 0}});
    if (lane.pair != 0) return;
#pragma unroll
    for (int row = 0; row < held; ++row)
      shared_store<Pair>(place_of(offset, 8 * row + lane.group),
                         Pair{power_of_two(-keys_until[row] - log2_of_terms),
                              power_of_two(query[row] + keys_until[row] + log2_of_terms - f16_most_log2)});
  }
};

}  // namespace rankone

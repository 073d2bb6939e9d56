// SPDX-License-Identifier: MIT
// The causal scores inside each sub-chunk: a 16 x 16 block, decays and write scales included, ready as an operand.
#pragma once

#include "kernels/fragment.cuh"
#include "kernels/gates.cuh"

namespace rankone {

template <class Traits> using ScoreTile = Tile<typename Traits::Operand, sub_chunk>;

// Scalar decays: q k^T on the tensor cores, then one factor an element. A warp takes the 16 queries and 8 of the keys.
template <class Traits>
RK_DEVICE void write_scalar_scores(const ChunkPlace<Traits>& place) {
  using Operand = typename Traits::Operand;
  const QueryTile<Traits> query{place.stage + Traits::layout.query}, key{place.stage + Traits::layout.key};
  const ScoreTile<Traits> scores{Traits::layout.scores};
  const LanePlace lane = lane_place();
  for (int unit = warp_index(); unit < 2 * Traits::spans; unit += Traits::warps) {
    const int span = unit / 2, half = unit % 2, first = span * sub_chunk;
    if (first >= place.rows) break;
    float c[2][4] = {};  // two chains, so that one product need not wait for the one before
#pragma unroll
    for (int step = 0; step < Traits::key_padded / Quad<Operand>::depth; ++step) {
      const Quad<Operand> a = load_quad<Operand>(query, first, step * Quad<Operand>::depth);
      const Quad<Operand> b = load_quad<Operand>(key, first, step * Quad<Operand>::depth);
      multiply<Traits::split_products>(c[step % 2], a, b, half);
    }
    const int column = half * 8 + 2 * lane.pair;
    float factor[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    if constexpr (Traits::weighted) {
      const SpanDecay<Traits> decay(span);
      if (half == 0) decay.write(span);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        factor[i] = exp2_of_difference(decay.at(lane.group + i / 2 * 8), decay.at(column + i % 2)) *
                    write_scale_of<Traits>(first + column + i % 2);
      }
    }
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      const int row = lane.group + 8 * side;
      // A future key's product is dropped, not multiplied by zero: it may be infinite.
      store_pair(scores, first + row, column,
                 row >= column ? (c[0][2 * side] + c[1][2 * side]) * factor[2 * side] : 0.0f,
                 row >= column + 1 ? (c[0][2 * side + 1] + c[1][2 * side + 1]) * factor[2 * side + 1] : 0.0f);
    }
  }
}

// Per-key decays, in float32: key j's row is decayed from token to token, and each query takes its dot product with it.
// A warp takes 8 keys and the queries from the first of them on; a lane one key and every fourth slice of 8 columns.
template <class Traits>
RK_DEVICE void write_key_scores(const ChunkPlace<Traits>& place) {
  constexpr int slices = Traits::key_padded / 8, quarters = 4;
  const QueryTile<Traits> query{place.stage + Traits::layout.query}, key{place.stage + Traits::layout.key};
  const Tile<float, Traits::key_padded> decay{Traits::layout.decay};
  const ScoreTile<Traits> scores{Traits::layout.scores};
  const int lane = lane_index(), quarter = lane / 8;
  for (int unit = warp_index(); unit < 2 * Traits::spans; unit += Traits::warps) {
    const int first_key = unit / Traits::spans * 8, first = unit % Traits::spans * sub_chunk;
    if (first >= place.rows) continue;
    const int column = first_key + lane % 8;
    float sum[sub_chunk] = {};
    for (int slice = quarter; slice < slices; slice += quarters) {
      float decayed[8];
      load_eight(key, first + column, slice * 8, decayed);
#pragma unroll
      for (int row = 0; row < sub_chunk; ++row) {
        if (row >= first_key) {
          float q[8];
          load_eight(query, first + row, slice * 8, q);
          float factor[8];
          load_eight(decay, first + row, slice * 8, factor);
          if (row > column) {
#pragma unroll
            for (int i = 0; i < 8; ++i) decayed[i] *= factor[i];
          }
#pragma unroll
          for (int i = 0; i < 8; ++i) sum[row] += q[i] * decayed[i];
        }
      }
    }
    const float write = write_scale_of<Traits>(first + column);
#pragma unroll
    for (int row = 0; row < sub_chunk; ++row) {
      float total = sum[row];
      total += shuffle_xor(total, 8);
      total += shuffle_xor(total, 16);
      if (row % quarters == quarter) scores.store(first + row, column, row >= column ? total * write : 0.0f);
    }
  }
}

}  // namespace rankone

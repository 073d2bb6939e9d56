// SPDX-License-Identifier: MIT
// The causal scores inside each sub-chunk: a 16 x 16 block, decays and write scales included, ready as an operand.
#pragma once

#include "kernels/fragment.cuh"
#include "kernels/gates.cuh"

namespace rankone {

template <class Traits> using ScoreTile = Tile<typename Traits::Operand, sub_chunk>;

// Scalar decays: q k^T on the tensor cores, then one factor an element. A warp a sub-chunk.
template <class Traits>
RK_DEVICE void write_scalar_scores(const ChunkPlace<Traits>& place) {
  using Operand = typename Traits::Operand;
  const QueryTile<Traits> query{place.stage + Traits::layout.query}, key{place.stage + Traits::layout.key};
  const ScoreTile<Traits> scores{Traits::layout.scores};
  const LanePlace lane = lane_place();
  for (int span = warp_index(); span < Traits::spans; span += Traits::warps) {
    const int first = span * sub_chunk;
    if (first >= place.rows) break;
    float c[2][4] = {};
#pragma unroll
    for (int step = 0; step < Traits::key_padded / Quad<Operand>::depth; ++step) {
      const Quad<Operand> a = load_quad<Operand>(query, first, step * Quad<Operand>::depth);
      const Quad<Operand> b = load_quad<Operand>(key, first, step * Quad<Operand>::depth);
      multiply<Traits::split_products>(c[0], a, b, 0);
      multiply<Traits::split_products>(c[1], a, b, 1);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int side = 0; side < 2; ++side) {
        const int row = lane.group + 8 * side, column = half * 8 + 2 * lane.pair;
        float value[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float factor = 1.0f;
          if constexpr (Traits::weighted) {
            factor = shared_load<float>(Traits::layout.factors + ((first + column + i) * sub_chunk + row) * 4);
          }
          // A future key's product is dropped, not multiplied by zero: it may be infinite.
          value[i] = row >= column + i ? c[half][2 * side + i] * factor : 0.0f;
        }
        store_pair(scores, first + row, column, value[0], value[1]);
      }
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
          if (row > column) {
            float factor[8];
            load_eight(decay, first + row, slice * 8, factor);
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

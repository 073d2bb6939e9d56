// SPDX-License-Identifier: MIT
// The causal scores inside each sub-chunk: a 16 x 16 block, decays and write scales included, ready as an operand.
#pragma once

#include "kernels/fragment.cuh"
#include "kernels/gates.cuh"
#include "kernels/read.cuh"

namespace rankone {

template <class Traits> using ScoreTile = Tile<typename Traits::Operand, sub_chunk>;
template <class Traits> RK_DEVICE ScoreTile<Traits> score_tile(int part) {
  return {Traits::layout.scores +
          part * tile_bytes(Traits::chunk, sub_chunk, static_cast<int>(sizeof(typename Traits::Operand)))};
}

// A bonus: the product of a token's query and key, each column by its weight. The columns are every `step`-th of so many.
template <class Traits, class Gate>
RK_DEVICE float own_product(const ChunkPlace<Traits>& place, int row, int first_column, int end, int step) {
  const QueryTile<Traits> query{place.stage + Traits::layout.query}, key{place.stage + Traits::layout.key};
  float sum = 0.0f;
#pragma unroll 4
  for (int column = first_column; column < end && column < Traits::key_dim; column += step)
    sum += query.load(row, column) * key.load(row, column) * Gate::bonus(place.at(row, column));
  return sum;
}

// A future key's product is dropped, not multiplied by zero: it may be infinite.
template <class Traits> RK_DEVICE float score_or_zero(int query, int key, float score, float own) {
  if constexpr (weighs_own<Traits>) {
    if (query == key) return own;
  }
  return reads<Traits>(query, key) ? score : 0.0f;
}

// Scalar decays: q k^T on the tensor cores, then one factor an element. A warp takes the 16 queries and 8 of the keys.
template <class Traits, class Gate> RK_DEVICE void write_scalar_scores(const ChunkPlace<Traits>& place) {
  using Operand = typename Traits::Operand;
  const QueryTile<Traits> query{place.stage + Traits::layout.query}, key{place.stage + Traits::layout.key};
  const ScoreTile<Traits> scores = score_tile<Traits>(0);
  const LanePlace lane = lane_place();
  constexpr int unrolled = sizeof(Operand) == 2 ? Traits::key_padded : 4;  // steps; a float32 product is long
  for (int unit = warp_index(); unit < 2 * Traits::spans; unit += Traits::warps) {
    const int span = unit / 2, half = unit % 2, first = span * sub_chunk;
    if (first >= place.rows) break;
    float c[2][4] = {};  // two chains, so that one product need not wait for the one before
#pragma unroll(unrolled)
    for (int step = 0; step < Traits::key_padded / Quad<Operand>::depth; ++step) {
      const Quad<Operand> a = load_quad<Operand>(query, first, step * Quad<Operand>::depth);
      const Quad<Operand> b = load_quad<Operand>(key, first, step * Quad<Operand>::depth);
      multiply<Traits::split_products>(c[step % 2], a, b, half);
    }
    float own = 0.0f;  // of the half's token whose number is the lane's group
    if constexpr (weighs_own<Traits>) {
      const int token = first + half * 8 + lane.group;
      own = own_product<Traits, Gate>(place, token, lane.pair, Traits::key_dim, 4);
      own += shuffle_xor(own, 1);
      own += shuffle_xor(own, 2);
      own *= write_scale_of<Traits>(token);
    }
    const int column = half * 8 + 2 * lane.pair;
    float factor[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    if constexpr (Traits::weighted) {
      const SpanDecay<Traits> decay(span);
      if (half == 0) decay.write(span);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        factor[i] = exp2_of_difference(decay.at(last_read<Traits>(lane.group + i / 2 * 8)), decay.at(column + i % 2)) *
                    write_scale_of<Traits>(first + column + i % 2);
      }
    }
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      const int row = lane.group + 8 * side;
      float score[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float product = (c[0][2 * side + i] + c[1][2 * side + i]) * factor[2 * side + i];
        score[i] = score_or_zero<Traits>(row, column + i, product, own);
      }
      store_pair(scores, first + row, column, score[0], score[1]);
    }
  }
}

// Sums rows 4 i + quarter over the four quarters of a warp (lanes 8 apart); each quarter keeps its own rows.
template <int rows> RK_DEVICE void sum_quarters(const float (&sum)[rows], float (&own)[rows / 4]) {
  const int quarter = lane_index() / 8;
  float half[rows / 2];
#pragma unroll
  for (int i = 0; i < rows / 2; ++i) {
    const float keep = quarter % 2 == 0 ? sum[2 * i] : sum[2 * i + 1],
                give = quarter % 2 == 0 ? sum[2 * i + 1] : sum[2 * i];
    half[i] = keep + shuffle_xor(give, 8);
  }
#pragma unroll
  for (int i = 0; i < rows / 4; ++i) {
    const float keep = quarter < 2 ? half[2 * i] : half[2 * i + 1], give = quarter < 2 ? half[2 * i + 1] : half[2 * i];
    own[i] = keep + shuffle_xor(give, 16);
  }
}

// Per-key decays, in float32: a key's row is decayed from token to token, and each query takes its dot product with it.
// A lane follows two keys, 8 tokens apart, through every fourth slice of columns; a warp takes a part of the slices.
template <class Traits, class Gate> struct KeyScores {
  static constexpr int width = Traits::is_long ? 4 : 8, slices = Traits::key_padded / width, quarters = 4;
  static constexpr int parts = Traits::layout.score_parts, near = sub_chunk / 2;
  const ChunkPlace<Traits>& place;
  int quarter = lane_index() / 8, column = lane_index() % 8;  // `column`: the first key's token
  float sum[sub_chunk] = {}, later_sum[near] = {};            // of each query with the first key, and with the second
  float own = 0.0f, later_own = 0.0f;                         // of each key with its own token's query, under a bonus

  RK_DEVICE explicit KeyScores(const ChunkPlace<Traits>& chunk) : place(chunk) {}

  // The products of a slice, from column `slice` on.
  RK_DEVICE void add_slice(int first, int slice) {
    const QueryTile<Traits> query{place.stage + Traits::layout.query}, key{place.stage + Traits::layout.key};
    const Tile<float, Traits::key_padded> decay{Traits::layout.decay};
    float decayed[width], later[width], q[width], factor[width];
    load_row(key, first + column, slice, decayed);
    load_row(key, first + near + column, slice, later);
    if constexpr (weighs_own<Traits>) {
      own += own_product<Traits, Gate>(place, first + column, slice, slice + width, 1);
      later_own += own_product<Traits, Gate>(place, first + near + column, slice, slice + width, 1);
    }
#pragma unroll
    for (int row = 0; row < near; ++row) {
      load_row(query, first + row, slice, q);
      load_row(decay, first + row, slice, factor);
#pragma unroll
      for (int i = 0; i < width; ++i) {
        if constexpr (!reads_own<Traits>) sum[row] += q[i] * decayed[i];
        decayed[i] *= row > column ? factor[i] : 1.0f;
        if constexpr (reads_own<Traits>) sum[row] += q[i] * decayed[i];
      }
    }
#pragma unroll
    for (int row = 0; row < near; ++row) {
      load_row(query, first + near + row, slice, q);
      load_row(decay, first + near + row, slice, factor);
#pragma unroll
      for (int i = 0; i < width; ++i) {
        if constexpr (!reads_own<Traits>) {
          sum[near + row] += q[i] * decayed[i];
          later_sum[row] += q[i] * later[i];
        }
        decayed[i] *= factor[i];
        later[i] *= row > column ? factor[i] : 1.0f;
        if constexpr (reads_own<Traits>) {
          sum[near + row] += q[i] * decayed[i];
          later_sum[row] += q[i] * later[i];
        }
      }
    }
  }
  static RK_DEVICE float over_quarters(float part) {
    part += shuffle_xor(part, 8);
    return part + shuffle_xor(part, 16);
  }
  RK_DEVICE void store(int first, int part) {
    float mine[sub_chunk / 4], mine_later[near / 4];  // of the quarter
    sum_quarters(sum, mine);
    sum_quarters(later_sum, mine_later);
    if constexpr (weighs_own<Traits>) {
      own = over_quarters(own);
      later_own = over_quarters(later_own);
    }
    const ScoreTile<Traits> scores = score_tile<Traits>(part);
    const float write = write_scale_of<Traits>(first + column),
                later_write = write_scale_of<Traits>(first + near + column);
#pragma unroll
    for (int i = 0; i < sub_chunk / 4; ++i) {
      const int row = 4 * i + quarter;
      scores.store(first + row, column, score_or_zero<Traits>(row, column, mine[i] * write, own * write));
      if (row < near) scores.store(first + row, near + column, 0.0f);
    }
#pragma unroll
    for (int i = 0; i < near / 4; ++i) {
      const int row = 4 * i + quarter;
      scores.store(first + near + row, near + column,
                   score_or_zero<Traits>(row, column, mine_later[i] * later_write, later_own * later_write));
    }
  }
};

template <class Traits, class Gate> RK_DEVICE void write_key_scores(const ChunkPlace<Traits>& place) {
  using Scores = KeyScores<Traits, Gate>;
#pragma unroll 1
  for (int unit = warp_index(); unit < Scores::parts * Traits::spans; unit += Traits::warps) {
    const int first = unit % Traits::spans * sub_chunk, part = unit / Traits::spans;
    if (first >= place.rows) continue;
    Scores scores(place);
#pragma unroll 1
    for (int slice = part * Scores::quarters + scores.quarter; slice < Scores::slices;
         slice += Scores::parts * Scores::quarters)
      scores.add_slice(first, slice * Scores::width);
    scores.store(first, part);
  }
}

}  // namespace rankone

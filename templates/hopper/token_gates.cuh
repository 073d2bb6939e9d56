// SPDX-License-Identifier: MIT
// Decays of one number a token: the causal scores of a chunk by wgmma, and what its rows and columns are weighted with.
#pragma once

#include "device/barrier.cuh"
#include "hopper/gates.cuh"
#include "hopper/range.cuh"
#include "kernels/exponent.cuh"
#include "kernels/fragment.cuh"
#include "kernels/read.cuh"

namespace rankone {

// A chunk's decays, summed up to each token. Lane l holds tokens l and l + 32; every gate warp holds all.
template <class T, class Gate> struct TokenDecays {
  static constexpr int held = (T::chunk + warp_size - 1) / warp_size;
  Exponent sum[held];
  float write[held];

  RK_DEVICE void evaluate(const StagePlace<T>& place) {
    const int lane = lane_index();
    Exponent before{0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < held; ++i) {
      const int row = lane + 32 * i;
      const bool exists = row < place.rows;
      const StageAt<T> at = place.at(row, 0);
      float log_decay = 0.0f;
      if constexpr (T::decays) log_decay = Gate::log_decay(at);
      write[i] = 1.0f;
      if constexpr (T::has_write_scale) write[i] = Gate::write_scale(at);
      sum[i] = exponent_of(exists ? log2_decay(log_decay) : 0.0f);
      sum[i].template accumulate<warp_size>();
      sum[i].add(before);
      before = sum[i].of_lane(warp_size - 1);
    }
  }
  RK_DEVICE Exponent end() const { return sum[held - 1].of_lane(warp_size - 1); }
};

// q and k through their expressions.
template <class T, class Gate> RK_DEVICE void rewrite_chunk(const StagePlace<T>& place, int thread) {
  using Operand = typename T::Storage;
  const SwizzledTile<Operand, T::chunk> query{place.base + T::layout.query}, key{place.base + T::layout.key};
#pragma unroll 2
  for (int item = thread; item < T::chunk * T::layout.key_padded; item += group_threads)
    rewrite_element<T, Gate>(place, query, key, item / T::layout.key_padded, item % T::layout.key_padded);
  fence_async();
  named_barrier_sync(gate_barrier, group_threads);
}

// What a warp's scores are weighted with: the sums of decays up to each token, and write scales.
template <class T> struct TokenWeights {
  int sums, writes;  // where they stand

  RK_DEVICE explicit TokenWeights(int warp)
      : sums(T::layout.sums + warp * T::chunk * token_sum_bytes), writes(sums + T::chunk * exponent_bytes) {}
  RK_DEVICE Exponent sum_at(int token) const {
    const Pair pair = shared_load<Pair>(sums + token * exponent_bytes);
    return {pair.first, pair.second};
  }
  // Up to what a query reads.
  RK_DEVICE Exponent sum_read_by(int query) const {
    const int last = last_read<T>(query);
    return last < 0 ? Exponent{0.0f, 0.0f} : sum_at(last);
  }
  // Each warp leaves all tokens' for itself, and for the state's warpgroups what its own 16 tokens keep.
  template <class Gate> RK_DEVICE void write(const StagePlace<T>& place, int warp, float& total) const {
    TokenDecays<T, Gate> decays;
    decays.evaluate(place);
    const int lane = lane_index(), row_decay = place.base + T::layout.decay;
    const Exponent end = decays.end(), start{0.0f, 0.0f};
    if constexpr (T::sums_log_decays) total += end.whole + end.fraction;
#pragma unroll
    for (int i = 0; i < TokenDecays<T, Gate>::held; ++i) {
      const int token = lane + 32 * i;
      if constexpr (T::reads_query && T::has_write_scale) shared_store<float>(writes + token * 4, decays.write[i]);
      if constexpr (T::reads_query)
        shared_store<Pair>(sums + token * exponent_bytes, Pair{decays.sum[i].whole, decays.sum[i].fraction});
      if (token / warp_rows == warp) {
        if constexpr (!T::range_scaled && !T::reads_earlier)
          shared_store<float>(row_decay + token * 4, exp2_of_difference(decays.sum[i], start));
        shared_store<float>(row_decay + (T::chunk + token) * 4,
                            token < place.rows ? exp2_of_difference(end, decays.sum[i]) * decays.write[i] : 0.0f);
      }
    }
    if (warp == 0 && lane == 0) shared_store<float>(row_decay + 2 * T::chunk * 4, exp2_of_difference(end, start));
    sync_warp();  // the warp's own sums
    if constexpr (!T::range_scaled && !T::decays_by_value && T::reads_query && T::reads_earlier) {
      if (const int token = warp_rows * warp + lane; lane < warp_rows && token < T::chunk)
        shared_store<float>(row_decay + token * 4, exp2_of_difference(sum_read_by(token), start));
    }
  }
  // Of two queries, whose sums are `row`, with the keys `column` and `column + 1`.
  RK_DEVICE void load(float (&factor)[4], const Exponent (&row)[2], int column) const {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const Exponent key_sum = sum_at(column + i);
      float write = 1.0f;
      if constexpr (T::has_write_scale) write = shared_load<float>(writes + (column + i) * 4);
      factor[i] = exp2_of_difference(row[0], key_sum) * write;
      factor[2 + i] = exp2_of_difference(row[1], key_sum) * write;
    }
  }
};

// The scores of a warp's 16 queries, a lane's in rows `low` and `low + 8`.
template <class T> struct TokenScores {
  using Operand = typename T::Storage;
  const StagePlace<T>& place;
  const TokenWeights<T>& weights;
  int warp, low;
  SwizzledTile<Operand, T::chunk> tile;

  RK_DEVICE TokenScores(const StagePlace<T>& at, const TokenWeights<T>& all, int of_warp)
      : place(at), weights(all), warp(of_warp),
        low(warp_rows * of_warp + lane_place().group), tile{at.base + T::layout.scores} {}

  // Products become scores: in float16 in place, else as operands.
  RK_DEVICE void weigh(float (&c)[T::chunk / 2]) const {
    Exponent row[2];
    if constexpr (T::weighted) {
      if constexpr (!T::reads_earlier) {
        row[0] = weights.sum_at(low);
        row[1] = weights.sum_at(low + 8);
      } else {
        row[0] = weights.sum_read_by(low);
        row[1] = weights.sum_read_by(low + 8);
      }
    }
#pragma unroll
    for (int j = 0; j < T::chunk / 8; ++j) {
      const int column = 8 * j + 2 * lane_place().pair;
      float p[4] = {};
      if (j < 2 * warp + 2) {  // else later keys alone
        float factor[4] = {1.0f, 1.0f, 1.0f, 1.0f};
        if constexpr (T::weighted) weights.load(factor, row, column);
          // A future key's product is dropped, not multiplied by zero: it may be infinite.
#pragma unroll
        for (int i = 0; i < 4; ++i) p[i] = reads<T>(low + i / 2 * 8, column + i % 2) ? c[4 * j + i] * factor[i] : 0.0f;
      }
      if constexpr (T::range_scaled) {
#pragma unroll
        for (int i = 0; i < 4; ++i) c[4 * j + i] = low + i / 2 * 8 < place.rows ? p[i] : 0.0f;
      } else {
        shared_store<unsigned>(tile.at(low, column), Element<Operand>::pack(p[0], p[1]));
        shared_store<unsigned>(tile.at(low + 8, column), Element<Operand>::pack(p[2], p[3]));
      }
    }
  }
  // A bonus: what the lane's two queries have of their own tokens, in places that are its own.
  template <class Gate> RK_DEVICE void weigh_own(float (&c)[T::chunk / 2]) const {
    const LanePlace lane = lane_place_again();
    float own[2] = {0.0f, 0.0f};
    OwnProducts<T, Gate>::add_all(place, warp_rows * warp, own);
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      const int token = low + 8 * side;
      own[side] = OwnProducts<T, Gate>::over_quad(own[side]);
      if constexpr (T::has_write_scale) own[side] *= shared_load<float>(weights.writes + token * 4);
      if constexpr (T::decays_by_value) {
        if (lane.pair == 0) shared_store<float>(own_products<T>(place.base) + token * 4, own[side]);
        continue;
      }
      if (lane.pair != lane.group / 2 || token >= place.rows) continue;
      if constexpr (T::range_scaled) {
#pragma unroll
        for (int i = 0; i < T::chunk / 2; ++i) {
          if (i / 2 % 2 == side && 8 * (i / 4) + 2 * lane.pair + i % 2 == token) c[i] = own[side];
        }
      } else {
        tile.store(token, token, own[side]);
      }
    }
  }
  // float16: each query's in units of its largest, which the rows' decays lead to and the output from.
  RK_DEVICE void scale(const float (&c)[T::chunk / 2]) const {
    const LanePlace lane = lane_place();
    LargestFinite largest[2];
#pragma unroll
    for (int i = 0; i < T::chunk / 2; ++i) largest[i / 2 % 2].add(c[i]);
    float factor[2];
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      const int exponent =
          clamp_exponent(largest[side].exponent_of_quad() - f16_most_log2, -scale_log2_limit, scale_log2_limit);
      factor[side] = power_of_two(-exponent);
      if (lane.pair != 0) continue;
      const int token = low + 8 * side;
      float decay = 1.0f;
      if constexpr (T::weighted) {
        if constexpr (!T::reads_earlier)
          decay = exp2_of_difference(weights.sum_at(token), Exponent{0.0f, 0.0f});
        else
          decay = exp2_of_difference(weights.sum_read_by(token), Exponent{0.0f, 0.0f});
      }
      shared_store<float>(place.base + T::layout.decay + token * 4, decay * factor[side]);
      shared_store<float>(place.base + T::layout.range + token * 4, power_of_two(exponent));
    }
    const int first = opaque(tile.at(low, 2 * lane.pair));  // else the places of all would be kept
#pragma unroll
    for (int j = 0; j < T::chunk / 8; ++j) {
      const float* const p = c + 4 * j;
      const int target = tile.moved(first, 8 * j);
      shared_store<unsigned>(target, Element<Operand>::pack(p[0] * factor[0], p[1] * factor[0]));
      shared_store<unsigned>(target + 8 * swizzle_row_bytes,
                             Element<Operand>::pack(p[2] * factor[1], p[3] * factor[1]));
    }
  }
};

// The four warps of the only gate group; each takes 16 queries.
template <class T, class Gate> RK_DEVICE void write_token_chunk(const StagePlace<T>& place, int warp, float& total) {
  using Operand = typename T::Storage;
  const SwizzledTile<Operand, T::chunk> query{place.base + T::layout.query}, key{place.base + T::layout.key};
  float c[T::chunk / 2];
  if constexpr (T::reads_query) {
    wgmma_fence();
    wgmma<Operand, false>(c, query.as_rows(0, 0), key.as_rows(0, 0));
#pragma unroll
    for (int step = 1; step < 4 * T::key_blocks; ++step) {
      wgmma<Operand, true>(c, query.as_rows(0, product_depth * step), key.as_rows(0, product_depth * step));
    }
    wgmma_commit();
  }
  const TokenWeights<T> weights(warp);
  if constexpr (T::weighted) weights.template write<Gate>(place, warp, total);  // while the scores are on their way
  if constexpr (T::reads_query) {
    wgmma_wait<0>();
    wgmma_settle(c);
    if (warp_rows * warp >= T::chunk) return;
    const TokenScores<T> scores(place, weights, warp);
    scores.weigh(c);
    if constexpr (T::has_own_weights) scores.template weigh_own<Gate>(c);
    if constexpr (T::range_scaled) scores.scale(c);
  }
}

}  // namespace rankone

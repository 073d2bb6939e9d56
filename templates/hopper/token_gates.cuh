// SPDX-License-Identifier: MIT
// Decays of one number a token: the causal scores of a chunk by wgmma, and what its rows and columns are weighted with.
#pragma once

#include "hopper/gates.cuh"
#include "hopper/range.cuh"
#include "kernels/gates.cuh"

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
      if constexpr (T::decay != DecayKind::none) log_decay = Gate::log_decay(at);
      write[i] = 1.0f;
      if constexpr (T::has_write_scale) write[i] = Gate::write_scale(at);
      sum[i] = exponent_of(exists ? log2_decay(log_decay) : 0.0f);
#pragma unroll
      for (int distance = 1; distance < warp_size; distance *= 2) {
        const float whole = shuffle_up(sum[i].whole, distance), fraction = shuffle_up(sum[i].fraction, distance);
        if (lane >= distance) {
          sum[i].whole += whole;
          sum[i].fraction += fraction;
        }
      }
      sum[i].whole += before.whole;
      sum[i].fraction += before.fraction;
      before = {shuffle(sum[i].whole, 31), shuffle(sum[i].fraction, 31)};
    }
  }
  RK_DEVICE Exponent end() const { return {shuffle(sum[held - 1].whole, 31), shuffle(sum[held - 1].fraction, 31)}; }
};

// q and k through their expressions.
template <class T, class Gate> RK_DEVICE void rewrite_chunk(const StagePlace<T>& place, int thread) {
  using Operand = typename T::Storage;
  const SwizzledTile<Operand, T::chunk> query{place.base + T::layout.query}, key{place.base + T::layout.key};
#pragma unroll 2
  for (int item = thread; item < T::chunk * T::layout.key_padded; item += group_threads) {
    const int row = item / T::layout.key_padded, column = item % T::layout.key_padded;
    if (row >= place.rows || column >= T::key_dim) {
      if constexpr (!T::reads_key) key.store(row, column, 0.0f);
      continue;  // loaded as zero
    }
    if constexpr (T::reads_query && T::has_feature_map) {
      query.store(row, column, Gate::feature_map(query.load(row, column)));
    }
    StageAt<T> at = place.at(row, column);
    if constexpr (T::reads_key) at.key_value = Gate::feature_map(key.load(row, column));
    key.store(row, column, Gate::key(at));
  }
  fence_async();
  named_barrier_sync(gate_barrier, group_threads);
}

// The four warps of the only gate group; each takes 16 queries.
template <class T, class Gate> RK_DEVICE void write_token_chunk(const StagePlace<T>& place, int warp, float& total) {
  using Operand = typename T::Storage;
  constexpr HopperLayout layout = T::layout;
  const SwizzledTile<Operand, T::chunk> query{place.base + layout.query}, key{place.base + layout.key},
      scores{place.base + layout.scores};
  float c[T::chunk / 2];
  if constexpr (T::reads_query) {
    wgmma_fence();
    wgmma<Operand, false>(c, query.as_rows(0, 0), key.as_rows(0, 0));
#pragma unroll
    for (int step = 1; step < 4 * T::key_blocks; ++step) {
      wgmma<Operand, true>(c, query.as_rows(0, 16 * step), key.as_rows(0, 16 * step));
    }
    wgmma_commit();
  }
  const int sums = layout.sums + warp * T::chunk * 12, writes = sums + T::chunk * 8;
  if constexpr (T::weighted) {  // while the scores are on their way
    TokenDecays<T, Gate> decays;
    decays.evaluate(place);
    const int lane = lane_index(), row_decay = place.base + layout.decay;
    const Exponent end = decays.end(), start{0.0f, 0.0f};
    if constexpr (T::sums_log_decays) total += end.whole + end.fraction;
#pragma unroll
    for (int i = 0; i < TokenDecays<T, Gate>::held; ++i) {
      const int token = lane + 32 * i;
      if constexpr (T::reads_query && T::has_write_scale) shared_store<float>(writes + token * 4, decays.write[i]);
      if constexpr (T::reads_query)
        shared_store<Pair>(sums + token * 8, Pair{decays.sum[i].whole, decays.sum[i].fraction});
      if (token / 16 == warp) {
        if constexpr (!T::range_scaled)
          shared_store<float>(row_decay + token * 4, exp2_of_difference(decays.sum[i], start));
        shared_store<float>(row_decay + (T::chunk + token) * 4,
                            token < place.rows ? exp2_of_difference(end, decays.sum[i]) * decays.write[i] : 0.0f);
      }
    }
    if (warp == 0 && lane == 0) shared_store<float>(row_decay + 2 * T::chunk * 4, exp2_of_difference(end, start));
    sync_warp();  // the warp's own sums
  }
  if constexpr (T::reads_query) {
    const LanePlace lane = lane_place();
    wgmma_wait<0>();
    wgmma_settle(c);
    if (16 * warp < T::chunk) {
      const int low = 16 * warp + lane.group;
      const auto sum_at = [&](int token) {
        const Pair pair = shared_load<Pair>(sums + token * 8);
        return Exponent{pair.first, pair.second};
      };
      Exponent row[2];
      if constexpr (T::weighted) {
        row[0] = sum_at(low);
        row[1] = sum_at(low + 8);
      }
#pragma unroll
      for (int j = 0; j < T::chunk / 8; ++j) {
        const int column = 8 * j + 2 * lane.pair;
        float p[4] = {};
        if (j < 2 * warp + 2) {  // else later keys alone
          float factor[4] = {1.0f, 1.0f, 1.0f, 1.0f};
          if constexpr (T::weighted) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              const Exponent key_sum = sum_at(column + i);
              float write = 1.0f;
              if constexpr (T::has_write_scale) write = shared_load<float>(writes + (column + i) * 4);
              factor[i] = exp2_of_difference(row[0], key_sum) * write;
              factor[2 + i] = exp2_of_difference(row[1], key_sum) * write;
            }
          }
          // A future key's product is dropped, not multiplied by zero: it may be infinite.
#pragma unroll
          for (int i = 0; i < 4; ++i) p[i] = low + i / 2 * 8 >= column + i % 2 ? c[4 * j + i] * factor[i] : 0.0f;
        }
        if constexpr (T::range_scaled) {
#pragma unroll
          for (int i = 0; i < 4; ++i) c[4 * j + i] = low + i / 2 * 8 < place.rows ? p[i] : 0.0f;
        } else {
          shared_store<unsigned>(scores.at(low, column), Element<Operand>::pack(p[0], p[1]));
          shared_store<unsigned>(scores.at(low + 8, column), Element<Operand>::pack(p[2], p[3]));
        }
      }
      if constexpr (T::range_scaled) {  // in units of the largest, which the rows' decays lead to and the output from
        LargestFinite largest;
#pragma unroll
        for (int i = 0; i < T::chunk / 2; ++i) largest.add(c[i]);
        const int exponent = clamp_exponent(largest.exponent() - 15, -scale_log2_limit, scale_log2_limit);
        const float factor = power_of_two(-exponent);
        if (lane_index() < 16) {
          const int token = 16 * warp + lane_index();
          float decay = 1.0f;
          if constexpr (T::weighted) decay = exp2_of_difference(sum_at(token), Exponent{0.0f, 0.0f});
          shared_store<float>(place.base + layout.decay + token * 4, decay * factor);
        }
        if (lane_index() == 0) shared_store<float>(place.base + layout.range + warp * 16, power_of_two(exponent));
        const int first = opaque(scores.at(low, 2 * lane.pair));  // else the places of all would be kept
#pragma unroll
        for (int j = 0; j < T::chunk / 8; ++j) {
          const float* const p = c + 4 * j;
          const int target = scores.moved(first, 8 * j);
          shared_store<unsigned>(target, Element<Operand>::pack(p[0] * factor, p[1] * factor));
          shared_store<unsigned>(target + 8 * swizzle_row_bytes, Element<Operand>::pack(p[2] * factor, p[3] * factor));
        }
      }
    }
  }
}

}  // namespace rankone

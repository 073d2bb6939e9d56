// SPDX-License-Identifier: MIT
// Decays of one number a token: the causal scores of a chunk by wgmma, and what its rows and columns are weighted with.
#pragma once

#include "hopper/gates.cuh"
#include "kernels/gates.cuh"

namespace rankone {

// A chunk's decays, summed up to each token. Lane l holds tokens l and l + 32; every helper warp holds all.
template <class T, class Gate>
struct TokenDecays {
  static constexpr int held = (T::chunk + warp_size - 1) / warp_size;
  Exponent sum[held];
  float write[held];

  RK_DEVICE void evaluate(const PanelPlace<T>& place) {
    const int lane = lane_index();
    Exponent before{0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < held; ++i) {
      const int row = lane + 32 * i;
      const bool exists = row < place.rows;
      const PanelAt<T> at = place.at(row, 0);
      float log_decay = 0.0f;
      if constexpr (T::decay != DecayKind::none) log_decay = Gate::log_decay(at);
      write[i] = 1.0f;
      if constexpr (T::has_write_scale) write[i] = Gate::write_scale(at);
      const float step = exists ? log2_decay(log_decay) : 0.0f;
      sum[i].whole = floor(step);
      sum[i].fraction = step - sum[i].whole;
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
  RK_DEVICE Exponent at(int token) const {
    Exponent result{shuffle(sum[0].whole, token), shuffle(sum[0].fraction, token)};
    if constexpr (held == 2) {
      const Exponent later{shuffle(sum[1].whole, token), shuffle(sum[1].fraction, token)};
      if (token >= 32) result = later;
    }
    return result;
  }
  RK_DEVICE float write_at(int token) const {
    if constexpr (!T::has_write_scale) return 1.0f;
    float result = shuffle(write[0], token);
    if constexpr (held == 2) {
      const float later = shuffle(write[1], token);
      if (token >= 32) result = later;
    }
    return result;
  }
};

// q and k through their expressions.
template <class T, class Gate>
RK_DEVICE void rewrite_chunk(const PanelPlace<T>& place, int thread) {
  using Operand = typename T::Storage;
  const Panels<Operand, T::chunk> query{place.base + T::layout.query}, key{place.base + T::layout.key};
#pragma unroll 2
  for (int item = thread; item < T::chunk * T::layout.key_padded; item += T::helper_threads) {
    const int row = item / T::layout.key_padded, column = item % T::layout.key_padded;
    if (row >= place.rows || column >= T::key_dim) {
      if constexpr (!T::reads_key) key.store(row, column, 0.0f);
      continue;  // loaded as zero
    }
    if constexpr (T::role != Role::states && T::has_feature_map) {
      query.store(row, column, Gate::feature_map(query.load(row, column)));
    }
    PanelAt<T> at = place.at(row, column);
    if constexpr (T::reads_key) at.key_value = Gate::feature_map(key.load(row, column));
    key.store(row, column, Gate::key(at));
  }
  fence_async();
  sync_threads(1, T::helper_threads);
}

// The four warps of the only helper group; each takes 16 queries.
template <class T, class Gate>
RK_DEVICE void write_token_chunk(const PanelPlace<T>& place, const TokenDecays<T, Gate>& decays, int warp) {
  using Operand = typename T::Storage;
  constexpr HopperLayout layout = T::layout;
  const Panels<Operand, T::chunk> query{place.base + layout.query}, key{place.base + layout.key},
      scores{place.base + layout.scores};
  float c[T::chunk / 2];
  if constexpr (T::role != Role::states) {
    wgmma_fence();
    wgmma<Operand, false>(c, query.as_rows(0, 0), key.as_rows(0, 0));
#pragma unroll
    for (int step = 1; step < 4 * T::panels; ++step) {
      wgmma<Operand, true>(c, query.as_rows(0, 16 * step), key.as_rows(0, 16 * step));
    }
    wgmma_commit();
  }
  if constexpr (T::weighted) {
    const int lane = lane_index(), row_decay = place.base + layout.decay;
    const Exponent end = decays.at(T::chunk - 1), start{0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < TokenDecays<T, Gate>::held; ++i) {
      const int token = lane + 32 * i;
      if (token / 16 == warp) {
        shared_store<float>(row_decay + token * 4, exp2_of_difference(decays.sum[i], start));
        shared_store<float>(row_decay + (T::chunk + token) * 4,
                            token < place.rows ? exp2_of_difference(end, decays.sum[i]) * decays.write[i] : 0.0f);
      }
    }
    if (warp == 0 && lane == 0) shared_store<float>(row_decay + 2 * T::chunk * 4, exp2_of_difference(end, start));
  }
  if constexpr (T::role != Role::states) {
    const LanePlace lane = lane_place();
    wgmma_wait<0>();
    wgmma_settle(c);
    if (16 * warp < T::chunk) {
      const int low = 16 * warp + lane.group;
      Exponent row[2];
      if constexpr (T::weighted) {
        row[0] = decays.at(low);
        row[1] = decays.at(low + 8);
      }
#pragma unroll
      for (int j = 0; j < T::chunk / 8; ++j) {
        float factor[4] = {1.0f, 1.0f, 1.0f, 1.0f};
        const int column = 8 * j + 2 * lane.pair;
        if constexpr (T::weighted) {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const Exponent key_sum = decays.at(column + i);
            const float write = decays.write_at(column + i);
            factor[i] = exp2_of_difference(row[0], key_sum) * write;
            factor[2 + i] = exp2_of_difference(row[1], key_sum) * write;
          }
        }
        // A future key's product is dropped, not multiplied by zero: it may be infinite.
#pragma unroll
        for (int side = 0; side < 2; ++side) {
          const int at = low + 8 * side;
          shared_store<unsigned>(scores.at(at, column),
                                 Element<Operand>::pack(at >= column ? c[4 * j + 2 * side] * factor[2 * side] : 0.0f,
                                                        at >= column + 1 ? c[4 * j + 2 * side + 1] * factor[2 * side + 1] : 0.0f));
        }
      }
    }
  }
}

}  // namespace rankone

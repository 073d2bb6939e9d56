// SPDX-License-Identifier: MIT
// A step of the state where a token's decay is one number: a whole chunk.
#pragma once

#include "hopper/causal_values.cuh"
#include "hopper/range.cuh"
#include "hopper/register_state.cuh"
#include "hopper/warp_tile.cuh"
#include "hopper/weighted_values.cuh"

namespace rankone {

template <class T> struct TokenStep {
  using Operand = typename T::Storage;
  using Tile = SwizzledTile<Operand, T::chunk>;
  static constexpr HopperLayout layout = T::layout;
  static constexpr int blocks = T::chunk / product_depth;
  RegisterState<T>& state;
  const WarpTile<T>& warp_tile;
  int base;
  using Values = CausalValues<T, blocks>;
  using Output = float[T::chunk / 2];

  RK_DEVICE TokenStep(RegisterState<T>& of, const WarpTile<T>& values, int stage_base)
      : state(of), warp_tile(values), base(stage_base) {}

  RK_DEVICE void run(float scale) {
    float o[T::chunk / 2];
    read_state(o);
    unsigned weighted[blocks][4];
    load_weighted(weighted);
    update_state(weighted);
    if constexpr (T::writes_output) {
      if constexpr (T::weighted || T::range_scaled) decay_output(o);
      add_scores(o);
      warp_tile.write(0, o, [&](int token) {
        if constexpr (T::range_scaled) {
          const Pair units = shared_load<Pair>(base + layout.range + token * 4);
          return Pair{scale * units.first, scale * units.second};
        } else {
          return Pair{scale, scale};
        }
      });
    } else {
      wgmma_wait<0>();
    }
    state.settle();
  }

 private:
  RK_DEVICE Values values() const { return {warp_tile.tile, warp_tile.column, 0}; }
  // o = S q with the state before the chunk, which then decays.
  RK_DEVICE void read_state(Output& o) {
    const Tile query{base + layout.query};
    unsigned s[T::key_blocks][4][4];
    if constexpr (T::writes_output) {
      if constexpr (T::range_scaled) state.fit();
#pragma unroll
      for (int key_block = 0; key_block < T::key_blocks; ++key_block)
        state.template pack<Operand>(key_block, s[key_block]);
    }
    if constexpr (T::weighted) state.decay_all(shared_load<float>(base + layout.chunk_decay));
    if constexpr (T::writes_output) {
      wgmma_fence();
      wgmma<Operand, false>(o, s[0][0], query.as_rows(0, 0));
#pragma unroll
      for (int step = 1; step < 4 * T::key_blocks; ++step)
        wgmma<Operand, true>(o, s[step / 4][step % 4], query.as_rows(0, product_depth * step));
      wgmma_commit(redundant::without_weights);
    }
  }
  // Values times what is left of their tokens at the chunk's end.
  RK_DEVICE void load_weighted(unsigned (&weighted)[blocks][4]) {
    const int weights = base + layout.column_decay;
    if constexpr (T::weighted && T::range_scaled) {
      int unit = state.unit;
      WeightedValues<T>{warp_tile.tile, warp_tile.column, weights}.pack(weighted, unit);
      state.change_unit(unit);
    } else {
      values().load(weighted);
    }
    if constexpr (T::weighted && !T::range_scaled) {
      const int pair = lane_place().pair;
#pragma unroll
      for (int block = 0; block < blocks; ++block) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const Pair decay = shared_load<Pair>(weights + (product_depth * block + i / 2 * 8 + 2 * pair) * 4);
          float low, high;
          Element<Operand>::unpack(weighted[block][i], low, high);
          weighted[block][i] = Element<Operand>::pack(low * decay.first, high * decay.second);
        }
      }
    }
  }
  RK_DEVICE void update_state(const unsigned (&weighted)[blocks][4]) {
    const Tile key{base + layout.key};
    state.settle();
    wgmma_fence();
#pragma unroll
    for (int block = 0; block < blocks; ++block) {
#pragma unroll
      for (int key_block = 0; key_block < T::key_blocks; ++key_block)
        wgmma<Operand, true>(state.values[key_block], weighted[block],
                             key.as_columns(product_depth * block, key_block));
    }
    wgmma_commit(redundant::without_weights);
  }
  // What was read of the state decays up to each query.
  RK_DEVICE void decay_output(Output& o) {
    wgmma_wait<1>();
    wgmma_settle(o);
    [[maybe_unused]] const float read_scale = power_of_two(state.read);  // in float16
    const int pair = lane_place().pair;
#pragma unroll
    for (int j = 0; j < T::chunk / 8; ++j) {
      Pair decay = shared_load<Pair>(base + layout.row_decay + (8 * j + 2 * pair) * 4);
      if constexpr (T::range_scaled) decay = {decay.first * read_scale, decay.second * read_scale};
      o[4 * j] *= decay.first;
      o[4 * j + 1] *= decay.second;
      o[4 * j + 2] *= decay.first;
      o[4 * j + 3] *= decay.second;
    }
    wgmma_settle(o);
  }
  // Whether a value of the chunk may not be finite. Where they meet the state, every key of their column tells: two words,
  // where all values of the lane would be many.
  RK_DEVICE bool may_be_spoilt([[maybe_unused]] const unsigned (&v)[blocks][4]) {
    if constexpr (T::range_scaled) return Values::are_spoilt(v);  // the state has other units, and stays finite
    wgmma_wait<0>(redundant::where_poison_is_seen);
    state.settle();
    return any_lane(!is_finite(state.values[0][0]) || !is_finite(state.values[0][2]));
  }
  RK_DEVICE void add_scores(Output& o) {
    const Tile scores{base + layout.scores};
    unsigned v[blocks][4];
    values().load(v);  // once more: registers are dearer
    const bool spoilt = may_be_spoilt(v);
    if (spoilt) Values::clear_spoilt(v);
    wgmma_fence();
#pragma unroll
    for (int block = 0; block < blocks; ++block)
      wgmma<Operand, true>(o, v[block], scores.as_rows(0, product_depth * block));
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_settle(o);
    if (spoilt) values().spoil(o);
  }
};

}  // namespace rankone

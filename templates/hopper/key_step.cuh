// SPDX-License-Identifier: MIT
// A step of the state where decays are per key: a span of tokens. Queries have decayed since its start, so that the state
// decays once it is read.
#pragma once

#include "hopper/causal_values.cuh"
#include "hopper/key_range.cuh"
#include "hopper/register_state.cuh"
#include "hopper/warp_tile.cuh"

namespace rankone {

template <class T> struct KeyStep {
  using Operand = typename T::Storage;
  using Tile = SwizzledTile<Operand, T::chunk>;
  static constexpr HopperLayout layout = T::layout;
  static constexpr int blocks = T::span / product_depth;
  RegisterState<T>& state;
  const WarpTile<T>& warp_tile;
  int base, span;
  using Output = float[T::span / 2];

  RK_DEVICE KeyStep(RegisterState<T>& of, const WarpTile<T>& values, int stage_base, int index)
      : state(of), warp_tile(values), base(stage_base), span(index) {}

  RK_DEVICE void run(float scale) {
    const int first = span * T::span, range = base + layout.range + span * span_range_bytes;
    if constexpr (T::range_scaled) state.change_unit(shared_load<int>(range));
    float o[T::span / 2];
    read_and_decay(o, first);
    if constexpr (T::writes_output && T::range_scaled) to_units_of_scores(o, range);
    const CausalValues<T, blocks> values{warp_tile.tile, warp_tile.column, first};
    unsigned v[blocks][4];
    values.load(v);
    [[maybe_unused]] bool spoilt = false;
    if constexpr (T::writes_output) {
      spoilt = values.are_spoilt(v);
      if (spoilt) values.clear_spoilt(v, state.values);
    }
    state.settle();
    wgmma_fence();
    if constexpr (T::writes_output) add_scores(o, v);
    update_state(v, first);
    if constexpr (T::writes_output) {
      wgmma_wait<1>();
      wgmma_settle(o);
      if (spoilt) values.spoil(o);
      warp_tile.write(first, o, [&](int token) {
        if constexpr (T::range_scaled) {
          const Vector16 two = shared_load<Vector16>(SpanRange<T>::place_of(range, token));
          return Pair{scale * as_float(two.word[1]), scale * as_float(two.word[3])};
        } else {
          return Pair{scale, scale};
        }
      });
    }
    wgmma_wait<0>();
    state.settle();
  }

 private:
  // o = S q; then the state decays.
  RK_DEVICE void read_and_decay(Output& o, int first) {
    const Tile query{base + layout.query};
    const int decays = base + layout.decay + span * layout.rank_columns * 4;
    if constexpr (T::range_scaled && T::writes_output) state.fit();
#pragma unroll
    for (int key_block = 0; key_block < T::key_blocks; ++key_block) {
      if constexpr (T::writes_output) {  // a key block's operands at a time: registers are dear
        unsigned s[4][4];
        state.template pack<Operand>(key_block, s);
        wgmma_fence();
#pragma unroll
        for (int step = 0; step < 4; ++step) {
          const auto queries = query.as_rows(first, block_keys * key_block + product_depth * step);
          if (key_block + step == 0)
            wgmma<Operand, false>(o, s[step], queries);
          else
            wgmma<Operand, true>(o, s[step], queries);
        }
        wgmma_commit(redundant::without_range_scales);
        wgmma_wait<1>(redundant::but_for_the_compiler);
        state.settle();
      }
      state.decay_key_block(key_block, decays);
      if constexpr (T::writes_output) {
        wgmma_wait<0>(redundant::without_range_scales);
        wgmma_settle(o);
      }
    }
  }
  RK_DEVICE void to_units_of_scores(Output& o, int range) {
    const float read = power_of_two(state.read);
#pragma unroll
    for (int j = 0; j < T::span / 8; ++j) {
      const Vector16 two = shared_load<Vector16>(SpanRange<T>::place_of(range, 8 * j + 2 * lane_place().pair));
      const float first_part = as_float(two.word[0]) * read, second_part = as_float(two.word[2]) * read;
      o[4 * j] *= first_part;
      o[4 * j + 1] *= second_part;
      o[4 * j + 2] *= first_part;
      o[4 * j + 3] *= second_part;
    }
    wgmma_settle(o);
  }
  // Parts of the scores, shared as the keys are.
  RK_DEVICE void add_scores(Output& o, const unsigned (&v)[blocks][4]) {
    constexpr int of_rank = layout.score_parts, parts = T::key_ranks * of_rank;
    const int scores = base + layout.scores + span * of_rank * score_bytes;
    // Blocks of 8 keys stand side by side, those of 8 queries behind each other.
    using Scores = MatrixView<true, false, core_bytes, 2 * core_bytes>;
#pragma unroll
    for (int index = 0; index < parts * blocks; ++index) {
      const int part = index / blocks;
      const Scores view{scores, (part / of_rank * T::spans * of_rank + part % of_rank) * score_bytes +
                                    index % blocks * T::span * 2 * core_row_bytes};
      wgmma<Operand, true>(o, v[index % blocks], view);
    }
    wgmma_commit();
    wgmma_fence();
  }
  RK_DEVICE void update_state(const unsigned (&v)[blocks][4], int first) {
    const Tile key{base + layout.key};
#pragma unroll
    for (int block = 0; block < blocks; ++block) {
#pragma unroll
      for (int key_block = 0; key_block < T::key_blocks; ++key_block)
        wgmma<Operand, true>(state.values[key_block], v[block],
                             key.as_columns(first + product_depth * block, key_block));
    }
    wgmma_commit();
  }
};

}  // namespace rankone

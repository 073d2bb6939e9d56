// SPDX-License-Identifier: MIT
// A step of the state where its value columns decay, alone or beside keys: a span of 32 tokens.
//
// Values and outputs meet at the span's start, o = decay (S q + scores (v / decay)), so that all of it is one accumulator;
// or where that could overflow, what the span's own tokens say comes by halves of halves: pairs of tokens meet in between,
// and every factor is a decay.
#pragma once

#include "hopper/bisection.cuh"
#include "hopper/causal_values.cuh"
#include "hopper/column_decays.cuh"
#include "hopper/key_steps.cuh"
#include "hopper/own_products.cuh"
#include "hopper/register_state.cuh"
#include "hopper/warp_tile.cuh"

namespace rankone {

// Where the scores of a span stand: with key decays in blocks of 8 queries by 8 keys, in parts; else in a tile.
template <class T> struct SpanScores {
  using Tile = SwizzledTile<typename T::Storage, T::chunk>;
  static constexpr HopperLayout layout = T::layout;
  static constexpr int of_rank = layout.score_parts, parts = T::decays_by_key ? T::key_ranks * of_rank : 1;
  // Blocks of 8 keys stand side by side, those of 8 queries behind each other.
  using Blocks = MatrixView<true, false, core_bytes, 2 * core_bytes>;
  int base, span;

  RK_DEVICE int part_offset(int part) const {
    return (part / of_rank * T::spans * of_rank + part % of_rank + span * of_rank) * score_bytes;
  }
  // Where 8 keys of a query begin.
  RK_DEVICE int at(int part, int query, int key) const {
    const int scores = base + layout.scores;
    if constexpr (T::decays_by_key)
      return scores + part_offset(part) + query % 8 * core_row_bytes +
             (key / sub_chunk * (column_span / 4) + query / 8 * 2 + key / 8 % 2) * core_bytes;
    else
      return Tile{scores}.at(span * column_span + query, span * column_span + key);
  }
  // o += v scores
  RK_DEVICE void add(float (&o)[span_elements], const unsigned (&v)[column_span / product_depth][4]) const {
    using Operand = typename T::Storage;
    constexpr int blocks = column_span / product_depth;
    if constexpr (T::decays_by_key) {
#pragma unroll
      for (int index = 0; index < parts * blocks; ++index) {
        const int part = index / blocks;
        const Blocks view{base + layout.scores + span * of_rank * score_bytes,
                          (part / of_rank * T::spans * of_rank + part % of_rank) * score_bytes +
                              index % blocks * column_span * 2 * core_row_bytes};
        wgmma<Operand, true>(o, v[index % blocks], view);
      }
    } else {
      const Tile tile{base + layout.scores};
#pragma unroll
      for (int block = 0; block < blocks; ++block)
        wgmma<Operand, true>(o, v[block], tile.as_rows(span * column_span, span * column_span + product_depth * block));
    }
  }
};

template <class T, class Gate> struct ColumnStep {
  static_assert(T::writes_output, "of a span's decays of value columns there are no sums that could be handed on");
  using Operand = typename T::Storage;
  using Tile = SwizzledTile<Operand, T::chunk>;
  static constexpr HopperLayout layout = T::layout;
  static constexpr int blocks = column_span / product_depth;
  using Output = float[span_elements];
  using Values = CausalValues<T, blocks>;
  using Words = unsigned[blocks][4];
  RegisterState<T>& state;
  const WarpTile<T>& warp_tile;
  const ColumnPlace<T>& place;
  int span, first;
  SpanScores<T> scores;

  RK_DEVICE ColumnStep(RegisterState<T>& of, const WarpTile<T>& values, const ColumnPlace<T>& stage, int index)
      : state(of), warp_tile(values), place(stage), span(index), first(index * column_span), scores{stage.base, index} {
  }

  RK_DEVICE void run() {
    ColumnDecays<T, Gate> decays(place, first, warp_tile.column);
    const bool beyond = decays.is_beyond_anchor();
    Output o;
    read_and_decay(o, decays);
    Words v, rest;
    values().load(v);
    const bool spoilt = Values::are_spoilt(v);
    if (spoilt) values().clear_spoilt(v, state.values);
    anchor(v, rest, decays, beyond);
    wgmma_fence();
    scores.add(o, v);
    scores.add(o, rest);
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_settle(o);
#pragma unroll
    for (int i = 0; i < span_elements; ++i) o[i] *= exp2(decays.until_read(i));
    if (beyond) add_bisected(o, decays, spoilt);
#pragma unroll
    for (int block = 0; block < blocks; ++block)
      load_finite(v[block], block, spoilt);  // once more: registers are dearer
    if constexpr (T::keeps_own_apart) add_own(o, v);
    keep(v, decays);
    state.settle();
    wgmma_fence();
    update_state(v);
    if (spoilt) values().spoil(o);
    const float scale = place.arguments.scale;
    warp_tile.write(first, o, [&](int) { return Pair{scale, scale}; });
    wgmma_wait<0>();
    state.settle();
  }

 private:
  // o = S q; then the state decays.
  RK_DEVICE void read_and_decay(Output& o, const ColumnDecays<T, Gate>& decays) {
    const Tile query{place.base + layout.query};
    const int key_decays = place.base + layout.decay + span * layout.rank_columns * 4;
    const float column_decays[2] = {exp2(decays.whole[0]), exp2(decays.whole[1])};
#pragma unroll
    for (int key_block = 0; key_block < T::key_blocks; ++key_block) {
      unsigned s[4][4];  // a key block's operands at a time: registers are dear
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
      if constexpr (T::decays_by_key) state.decay_key_block(key_block, key_decays);
#pragma unroll
      for (int i = 0; i < RegisterState<T>::block_values; ++i) state.values[key_block][i] *= column_decays[i / 2 % 2];
      wgmma_wait<0>(redundant::without_range_scales);
      wgmma_settle(o);
    }
  }
  RK_DEVICE Values values() const { return {warp_tile.tile, warp_tile.column, first}; }
  RK_DEVICE void load_finite(unsigned (&v)[4], int block, bool spoilt) const {
    load_matrix_x4_transposed(v, warp_tile.tile.transposed_place(first + product_depth * block, warp_tile.column));
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (spoilt) v[i] = finite_halves<Operand>(v[i]);
  }
  // Values times factor_of(element), as they are then rounded.
  template <class Factor> static RK_DEVICE void weigh(unsigned& word, int element, const Factor& factor_of) {
    float low, high;
    Element<Operand>::unpack(word, low, high);
    word = Element<Operand>::pack(low * factor_of(element), high * factor_of(element + 1));
  }
  // As they meet queries at the span's start, and what rounding takes away, which would else show beside that of scores.
  RK_DEVICE void anchor(Words& v, Words& rest, const ColumnDecays<T, Gate>& decays, bool beyond) const {
#pragma unroll
    for (int i = 0; i < 4 * blocks; ++i) {
      unsigned& word = v[i / 4][i % 4];
      float low, high;
      Element<Operand>::unpack(word, low, high);
      split<Operand>(low * exp2(-decays.until[2 * i]), high * exp2(-decays.until[2 * i + 1]), word, rest[i / 4][i % 4]);
      if (beyond) word = rest[i / 4][i % 4] = 0u;
    }
  }
  // What is left of them at its end.
  RK_DEVICE void keep(Words& v, const ColumnDecays<T, Gate>& decays) const {
#pragma unroll
    for (int word = 0; word < 4 * blocks; ++word) {
      Pair write{1.0f, 1.0f};
      if constexpr (T::weighted && !T::decays_by_key) {
        const int token = first + product_depth * (word / 4) + word % 4 / 2 * 8 + 2 * lane_place().pair;
        write = shared_load<Pair>(place.base + layout.column_decay + token * 4);
      }
      weigh(v[word / 4][word % 4], 2 * word, [&](int element) {
        return exp2(decays.whole[word % 2] - decays.until[element]) * (element % 2 != 0 ? write.second : write.first);
      });
    }
  }
  RK_DEVICE void update_state(const Words& kept) {
    const Tile key{place.base + layout.key};
#pragma unroll
    for (int block = 0; block < blocks; ++block) {
#pragma unroll
      for (int key_block = 0; key_block < T::key_blocks; ++key_block)
        wgmma<Operand, true>(state.values[key_block], kept[block],
                             key.as_columns(first + product_depth * block, key_block));
    }
    wgmma_commit();
  }

  // c += v scores, of 16 keys and 8 queries, of the pairs alone that are wanted.
  template <class Wanted>
  RK_DEVICE void add_wanted(float (&c)[4], const unsigned (&v)[4], int block, int queries, const Wanted& wanted) const {
    const LanePlace lane = lane_place_again();
    const int query = 8 * queries + lane.group;
#pragma unroll 1
    for (int part = 0; part < SpanScores<T>::parts; ++part) {
      unsigned pairs[2];  // a query and two keys a word
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int key = product_depth * block + 8 * half, own = key + 2 * lane.pair;
        const unsigned pair = shared_load<unsigned>(scores.at(part, query, key) + 4 * lane.pair);
        pairs[half] = (wanted(query, own) ? pair & 0xffffu : 0u) | (wanted(query, own + 1) ? pair & 0xffff0000u : 0u);
      }
      mma_bf16(c, v, pairs[0], pairs[1]);
    }
  }
  // Of 16 tokens, or of the keys among them; what is no number has no say where its token is not read.
  template <class Factor> static RK_DEVICE void weigh_finite(unsigned (&v)[4], int block, const Factor& factor_of) {
#pragma unroll
    for (int word = 0; word < 4; ++word) {
      weigh(v[word], 8 * block + 2 * word, [&](int element) {
        const float factor = factor_of(element);
        return is_finite(factor) ? factor : 0.0f;
      });
    }
  }
  // Queries of the later 16 tokens and keys of the earlier ones meet in between.
  RK_DEVICE void add_later_half(Output& o, const unsigned (&v)[4], const ColumnDecays<T, Gate>& decays) const {
    const int last = lane_at(lane_place().group, 3);
    const float middle[2] = {shuffle(decays.until[5], last), shuffle(decays.until[7], last)};  // of each column
    unsigned keys[4] = {v[0], v[1], v[2], v[3]};
    weigh_finite(keys, 0, [&](int element) { return exp2(middle[element / 2 % 2] - decays.until[element]); });
#pragma unroll
    for (int queries = 2; queries < 4; ++queries) {
      float c[4] = {};
      add_wanted(c, keys, 0, queries, [](int, int) { return true; });
#pragma unroll
      for (int i = 0; i < 4; ++i) o[4 * queries + i] += c[i] * exp2(decays.until_read(4 * queries + i) - middle[i / 2]);
    }
  }
  // The same within the first 16 tokens of `decays` and `o`, which are those of `block`: halves have `length` tokens.
  RK_DEVICE void add_half(Output& o, const unsigned (&v)[4], int block, int length,
                          const ColumnDecays<T, Gate>& decays) const {
    const LanePlace lane = lane_place_again();
    const auto is_later = [&](int token) { return (token & length) != 0; };
    // Where the last token of an earlier half stands: its lane, and of four tokens a lane has the second or the first.
    const int last = lane_at(lane.group, length == 8 ? 3 : lane.pair / length * length + (length - 1) / 2);
    float factors[8];
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const int column = e / 2 % 2 * 2;
      const float second = length == 8 ? decays.until[column + 1] : decays.until[e / 4 * 4 + column + 1];
      const float middle = shuffle(length > 1 ? second : decays.until[e / 4 * 4 + column], last);
      const int token = e / 4 * 8 + 2 * lane.pair + e % 2;
      const float read = decays.until_read(e, block) - middle, written = middle - decays.until[e];
      factors[e] = exp2(is_later(token) ? read : written);
    }
    unsigned keys[4] = {v[0], v[1], v[2], v[3]};
    weigh_finite(keys, 0, [&](int element) { return factors[element]; });
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float c[4] = {};
      add_wanted(c, keys, block, 2 * block + half, [&](int query, int key) {
        return ((query ^ key) & ~(2 * length - 1)) == 0 && is_later(query) && !is_later(key);
      });
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (is_later(8 * half + 2 * lane.pair + i % 2)) o[4 * half + i] += c[i] * factors[4 * half + i];
    }
  }
  // The later 16 tokens become the first, which only unrolled loops could tell apart.
  template <int count> static RK_DEVICE void swap_halves(float (&of_tokens)[count]) {
#pragma unroll
    for (int i = 0; i < count / 2; ++i) {
      const float first_half = of_tokens[i];
      of_tokens[i] = of_tokens[count / 2 + i];
      of_tokens[count / 2 + i] = first_half;
    }
  }
  RK_DEVICE void add_bisected(Output& o, ColumnDecays<T, Gate>& decays, bool spoilt) const {
    unsigned v[4];
    load_finite(v, 0, spoilt);
    add_later_half(o, v, decays);
#pragma unroll 1
    for (int block = 0; block < blocks; ++block) {
      load_finite(v, block, spoilt);
      if constexpr (!T::reads_earlier && !T::keeps_own_apart) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float c[4] = {};
          add_wanted(c, v, block, 2 * block + half, [](int query, int key) { return query == key; });
#pragma unroll
          for (int i = 0; i < 4; ++i) o[4 * half + i] += c[i];
        }
      }
#pragma unroll 1
      for (int length = sub_chunk / 2; length > 0; length /= 2) add_half(o, v, block, length, decays);
      swap_halves(o);
      swap_halves(decays.until);
    }
  }
  // A bonus: no decay is between a query and its own token.
  RK_DEVICE void add_own(Output& o, const Words& v) const {
    const int own = own_products<T>(place.base) + (first + 2 * lane_place().pair) * 4;
#pragma unroll
    for (int word = 0; word < 4 * blocks; ++word) {
      Pair of_tokens{0.0f, 0.0f};
#pragma unroll
      for (int part = 0; part < layout.key_parts; ++part) {
        const Pair more =
            shared_load<Pair>(own + (part * T::chunk + product_depth * (word / 4) + word % 4 / 2 * 8) * 4);
        of_tokens = {of_tokens.first + more.first, of_tokens.second + more.second};
      }
      float low, high;
      Element<Operand>::unpack(v[word / 4][word % 4], low, high);
      o[2 * word] = multiply_add(of_tokens.first, low, o[2 * word]);
      o[2 * word + 1] = multiply_add(of_tokens.second, high, o[2 * word + 1]);
    }
  }
};

}  // namespace rankone

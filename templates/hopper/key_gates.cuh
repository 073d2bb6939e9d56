// SPDX-License-Identifier: MIT
// Per-key decays: a warp takes a span of 16 tokens, 32 key columns at a time, and leaves behind
//   queries anchored at the span's end (q / the decay that follows), or where that could overflow at its start,
//   keys decayed to the span's end, the span's decay, and its causal scores.
// All stays in registers, as operands of the warp's products; only what it leaves is written, by the lanes that have
// read what was there.
#pragma once

#include "device/barrier.cuh"
#include "hopper/key_range.cuh"
#include "hopper/key_steps.cuh"

namespace rankone {

// Queries are anchored at the end while no key of the block loses more than this within the span: factors up to 2^60
// keep their digits in bf16 and cannot overflow with keys and queries of any ordinary size.
inline constexpr float anchored_log2_decay = -60.0f;

// Which tokens meet where, if a span's 16 are halved, and the halves, and so on: a bit for each of a lane's eight
// elements, eight for each halving. A block of 2 half tokens has its middle before the token whose `half` bit is set.
constexpr int halvings = 4;
struct Halving {
  // As an operand's ones: from the middle to a query, itself included; from behind a key to the middle.
  unsigned between = 0;
  unsigned wanted = 0;  // of an accumulator: the query above the middle and the key below
  unsigned diagonal = 0;
  unsigned whole = 0;  // of the span, as ones: up to a query, itself included, and eight bits on, from behind a key

  RK_DEVICE Halving() {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int row = lane.group + i / 2 % 2 * 8, token = i / 4 * 8 + 2 * lane.pair + i % 2;  // of an operand
      const int query = lane.group + i % 4 / 2 * 8;                                           // of an accumulator
      if (query == token) diagonal |= 1u << i;
      whole |= token <= row ? 1u << i : 256u << i;
#pragma unroll
      for (int level = 0; level < halvings; ++level) {
        const int half = sub_chunk / 2 >> level;
        if (((row ^ token) & -half) == 0 && ((row & half) != 0 ? token <= row : token > row))
          between |= 1u << (8 * level + i);
        if ((query & half) != 0 && (token & half) == 0 && ((query ^ token) & ~(2 * half - 1)) == 0)
          wanted |= 1u << (8 * level + i);
      }
    }
  }
};

// The tensor cores cut both operands of a score to ten bits, which takes 7e-4 of it on average, and nothing where
// neither decays: giving back half leaves the least of a bias either way.
inline constexpr float untruncated = 1.00035f;

template <class T, class Gate> struct KeySpan {
  using Operand = typename T::Storage;
  static constexpr HopperLayout layout = T::layout;
  static constexpr bool wants_scores = T::role != Role::states;
  static constexpr int blocks = key_block / 16;
  const PanelPlace<T>& place;
  int first_row;
  SpanRange<T> range;         // float16 alone
  int block, inputs, decays;  // the lane's places in a tile of q or k, in one of inputs, and among decays
  float scores[2][4] = {};    // queries by keys 0 to 7 and 8 to 15; future keys' are noise

  using Tile = Panels<Operand, T::chunk>;
  RK_DEVICE KeySpan(const PanelPlace<T>& at, int span, const SpanRange<T>& span_range)
      : place(at), first_row(span * sub_chunk), range(span_range),
        block(Tile{at.base + at.first_column / 64 * Tile::bytes}.block_place(first_row, 0)),
        inputs(Tile{at.base}.transposed_place(first_row, 0)),
        decays((at.first_column * T::spans + span * layout.own_columns + 2 * lane_place().pair) * 4) {}

  // Eight elements of an operand: pairs of columns, of rows `group` and `group + 8` in turn.
  static RK_DEVICE void unpack(const Quad<Operand>& quad, float (&values)[8]) {
#pragma unroll
    for (int word = 0; word < 4; ++word) Element<Operand>::unpack(quad.r[word], values[2 * word], values[2 * word + 1]);
  }
  // 16 columns of the span, as a lane holds them.
  struct Columns {
    float queries[8], keys[8];
    KeySteps steps;
  };
  RK_DEVICE void load(Columns& columns, int column) const {
    Quad<Operand> quad;
    if constexpr (wants_scores) {
      load_matrix_x4(quad.r, layout.query + Tile::moved(block, column));
      unpack(quad, columns.queries);
    }
    if constexpr (T::reads_key) {
      load_matrix_x4(quad.r, layout.key + Tile::moved(block, column));
      unpack(quad, columns.keys);
    }
    columns.steps.template evaluate<T, Gate>(place, Tile::moved(inputs, column), first_row, column);
  }
  // q and k through their expressions.
  RK_DEVICE void rewrite(Columns& columns, int column) const {
    const LanePlace lane = lane_place();
    if constexpr (wants_scores && T::has_feature_map) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const bool exists = T::key_dim % 64 == 0 || column + i / 4 * 8 + 2 * lane.pair + i % 2 < T::key_dim;
        columns.queries[i] = exists ? Gate::feature_map(columns.queries[i]) : 0.0f;  // of zero it may be infinite
      }
    }
    if constexpr (T::rewrites || T::has_write_scale) {
      float own[2][4];
      if constexpr (T::rewrites) columns.steps.sum(own, ones_where([](int row, int token) { return row == token; }));
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int row = first_row + lane.group + i / 2 % 2 * 8, at_column = column + i / 4 * 8 + 2 * lane.pair + i % 2;
        PanelAt<T> at = place.at(row, at_column);
        float& key = columns.keys[i];
        if constexpr (T::rewrites) {
          at.decay_value = exp2(own[i / 4][i % 4]);
          if constexpr (T::reads_key) at.key_value = Gate::feature_map(key);
          key = Gate::key(at);
        }
        if constexpr (T::has_write_scale) key *= Gate::write_scale(at);
        if (!place.exists(row, at_column)) key = 0.0f;
      }
    }
  }

  RK_DEVICE void scale(Columns& columns) const {
    if constexpr (T::narrow) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        columns.keys[i] *= range.key_factor();
        if constexpr (wants_scores) columns.queries[i] *= range.query_factor();
      }
    }
  }

  static RK_DEVICE void pack(const float (&values)[8], Quad<Operand>& quad) {
#pragma unroll
    for (int word = 0; word < 4; ++word) quad.r[word] = Element<Operand>::pack(values[2 * word], values[2 * word + 1]);
  }
  RK_DEVICE void store(int tile, int column, const float (&values)[8]) const {
    Quad<Operand> quad;
    pack(values, quad);
    store_matrix_x4(tile + Tile::moved(block, column), quad.r);
  }
  // c += the 16 by 16 products of `a` and `b`, in tf32: their ten digits save the products of what bf16 rounds away.
  // In float16 they have those digits as they are stored.
  static RK_DEVICE void add_products(float (&c)[2][4], const float (&a)[8], const float (&b)[8]) {
    if constexpr (T::narrow) {
      Quad<Operand> left, right;
      pack(a, left);
      pack(b, right);
#pragma unroll
      for (int half = 0; half < 2; ++half) multiply<false>(c[half], left, right, half);
    } else {
#pragma unroll
      for (int tile = 0; tile < 2; ++tile) {
        const float* const x = a + 4 * tile;
        const unsigned left[4] = {as_bits(x[0]), as_bits(x[2]), as_bits(x[1]), as_bits(x[3])};
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          mma_tf32(c[half], left, as_bits(b[4 * tile + 2 * half]), as_bits(b[4 * tile + 2 * half + 1]));
        }
      }
    }
  }

  // k times the decay that follows a token, q over it; `rest`: its logarithm.
  RK_DEVICE void anchor_at_end(Columns& columns, const float (&rest)[2][4], int column) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      columns.keys[i] *= exp2(rest[i / 4][i % 4]);
      if constexpr (wants_scores) columns.queries[i] *= exp2(-rest[i / 4][i % 4]);
    }
    if constexpr (wants_scores) {
      add_products(scores, columns.queries, columns.keys);
      store(layout.query, column, columns.queries);
    }
    store(layout.key, column, columns.keys);
  }

  // Of c what `wanted` has a bit for.
  RK_DEVICE void add_wanted(const float (&c)[2][4], unsigned wanted) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if ((wanted >> i & 1u) != 0) scores[i / 4][i % 4] += c[i / 4][i % 4];
    }
  }
  static RK_DEVICE void clear(float (&c)[2][4]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) c[i / 4][i % 4] = 0.0f;
  }
  // values *= 2^sums
  static RK_DEVICE void decay(float (&values)[8], const float (&sums)[2][4]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] *= exp2(sums[i / 4][i % 4]);
  }

  // For any decays: scores by halves of halves. Queries of an upper half and keys of the lower one meet at the middle,
  // so that every factor is a decay. An operand's upper halves hold queries, its lower ones keys.
  RK_DEVICE void anchor_at_start(Columns (&columns)[blocks], int column, const Halving& halving) {
    const LanePlace lane = lane_place();
    float c[2][4] = {};
#pragma unroll
    for (int b = 0; b < blocks; ++b) add_products(c, columns[b].queries, columns[b].keys);
    add_wanted(c, halving.diagonal);
    float sums[2][4];
#pragma unroll 1
    for (int level = 0; level < halvings; ++level) {
      const Quad<bf16> between = ones_of(halving.between >> 8 * level);
      const int half = sub_chunk / 2 >> level;
      clear(c);
#pragma unroll
      for (int b = 0; b < blocks; ++b) {
        float values[8];
        columns[b].steps.sum(sums, between);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          values[i] = ((lane.group + i / 2 % 2 * 8) & half) != 0 ? columns[b].queries[i] : columns[b].keys[i];
        }
        decay(values, sums);
        add_products(c, values, values);
      }
      add_wanted(c, halving.wanted >> 8 * level);
    }
    // What stays behind: queries since the span's start, keys until its end. In the loop these sums cost a fifth.
#pragma unroll
    for (int b = 0; b < blocks; ++b) {
      columns[b].steps.sum(sums, ones_of(halving.whole));
      decay(columns[b].queries, sums);
      store(layout.query, column + 16 * b, columns[b].queries);
      columns[b].steps.sum(sums, ones_of(halving.whole >> 8));
      decay(columns[b].keys, sums);
      store(layout.key, column + 16 * b, columns[b].keys);
    }
  }

  // The next 32 key columns from `column`. `totals`: where to add up log-decays, in the state-only role.
  RK_DEVICE void run(int column, int totals, const Quad<bf16>& after, const Halving& halving) {
    const LanePlace lane = lane_place();
    Columns columns[blocks];
    float rest[blocks][2][4];
    constexpr float nearest = T::narrow ? -anchored_octaves : anchored_log2_decay;
    bool far = false;
#pragma unroll
    for (int b = 0; b < blocks; ++b) {
      load(columns[b], column + 16 * b);
      columns[b].steps.sum(rest[b], after);
#pragma unroll
      for (int i = 0; i < 4; ++i) far = far || rest[b][i / 2][2 + i % 2] < nearest;
    }
    const bool exact = wants_scores && any_lane(far);
    if (lane.group == 7) {
      const unsigned sign = exact ? 0x80000000u : 0u;
#pragma unroll
      for (int i = 0; i < 2 * blocks; ++i) {
        float* const whole = rest[i / 2][i % 2] + 2;
        const int place_of_pair = decays + (column + 8 * i) * 4;
        shared_store<Pair>(place.base + layout.decay + place_of_pair,
                           Pair{as_float(as_bits(exp2(whole[0])) | sign), as_float(as_bits(exp2(whole[1])) | sign)});
        if constexpr (!wants_scores) {
          const Pair before = shared_load<Pair>(totals + place_of_pair);
          shared_store<Pair>(totals + place_of_pair, Pair{before.first + whole[0], before.second + whole[1]});
        }
        whole[0] = whole[1] = 0.0f;
      }
    }
#pragma unroll
    for (int b = 0; b < blocks; ++b) {
      rewrite(columns[b], column + 16 * b);
      scale(columns[b]);
    }
    if (exact) {
      anchor_at_start(columns, column, halving);
    } else {
#pragma unroll
      for (int b = 0; b < blocks; ++b) anchor_at_end(columns[b], rest[b], column + 16 * b);
    }
  }

  // 8 x 8 blocks of 128 bytes: queries by keys.
  RK_DEVICE void write_scores(int offset) const {
    const LanePlace lane = lane_place();
    const float factor = T::narrow ? SpanRange<T>::score_factor() : untruncated;
#pragma unroll
    for (int block = 0; block < 4; ++block) {
      const int half = block % 2, side = block / 2;  // of keys, of queries
      float kept[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        // A future key's product is dropped, not multiplied by zero: it may be infinite.
        kept[i] = lane.group + 8 * side >= 8 * half + 2 * lane.pair + i ? scores[half][2 * side + i] * factor : 0.0f;
      }
      shared_store<unsigned>(offset + side * 256 + half * 128 + lane.group * 16 + lane.pair * 4,
                             Element<Operand>::pack(kept[0], kept[1]));
    }
  }
};

// Which columns a warp takes: those of blocks `part`, `part + parts`, ... of its span.
template <class T> struct KeyShare {
  static constexpr int parts = T::layout.score_parts;
  int span, part;
  RK_DEVICE explicit KeyShare(int warp) : span(warp % T::spans), part(warp / T::spans) {}
  template <class Visit> RK_DEVICE void for_each(const Visit& visit) const {
#pragma unroll 1
    for (int block = part; block < T::layout.own_columns / key_block; block += parts) visit(block * key_block);
  }
};

// Sums of base-2 log-decays over a segment, for the state-only role.
template <class T> struct KeyTotals {
  static RK_DEVICE void clear(int warp) {
    const KeyShare<T> share(warp);
    if (lane_index() / 4 != 7) return;  // the lanes that will add
    share.for_each([&](int column) {
#pragma unroll
      for (int i = 0; i < key_block / 8; ++i) {
        shared_store<Pair>(
            T::layout.totals + (share.span * T::layout.own_columns + column + 8 * i + 2 * lane_place().pair) * 4,
            Pair{0.0f, 0.0f});
      }
    });
  }
  static RK_DEVICE void store(const Arguments& arguments, const ItemAt& item, int thread) {
    sync_threads(helper_barrier, group_threads);
    if (item.value_column() < T::cluster * T::value_tile) {  // those of one block or cluster will do
      constexpr int columns = T::cluster == 1 ? T::key_dim : T::layout.own_columns;
      float* const target = arguments.segment_decays +
                            (item.slot() * arguments.value_heads + item.head()) * T::key_dim + first_own_column<T>();
      for (int column = thread; column < columns; column += group_threads) {
        float sum = 0.0f;
        for (int i = 0; i < T::spans; ++i)
          sum += shared_load<float>(T::layout.totals + (i * T::layout.own_columns + column) * 4);
        target[column] = sum;
      }
    }
    if constexpr (T::cluster == 1) sync_threads(helper_barrier, group_threads);  // else giving the part has one
  }
};

template <class T, class Gate>
RK_DEVICE void write_key_chunk(const PanelPlace<T>& place, int warp, const Halving& halving) {
  constexpr HopperLayout layout = T::layout;
  const KeyShare<T> share(warp);
  const bool exists = share.span * sub_chunk < place.rows;
  SpanRange<T> range;
  if constexpr (T::narrow) {
    if (exists) range.measure(place.base, share.span * sub_chunk);
    // Another part's warp rewrites what this one has measured.
    if constexpr (SpanRange<T>::measures && KeyShare<T>::parts > 1) sync_threads(helper_barrier, group_threads);
    if (exists && share.part == 0 && lane_index() == 0) range.leave(place.base + layout.range + share.span * 16);
  }
  if (!exists) return;
  KeySpan<T, Gate> span(place, share.span, range);
  // After the last token nothing follows: its row has room for the sum of all.
  const Quad<bf16> after = ones_where([](int row, int token) { return token > row || row == sub_chunk - 1; });
  const int totals = layout.totals - place.first_column * T::spans * 4;  // they are the block's own
  share.for_each([&](int column) { span.run(column, totals, after, halving); });
  if constexpr (T::role != Role::states) {
    const int part =
        (place.first_column / layout.own_columns * T::spans + share.span) * layout.score_parts + share.part;
    span.write_scores(place.base + layout.scores + part * 512);
  }
}

}  // namespace rankone

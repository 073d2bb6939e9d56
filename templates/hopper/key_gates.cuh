// SPDX-License-Identifier: MIT
// Per-key decays: a warp takes a span of 32 tokens, 16 key columns at a time, and leaves behind
//   queries decayed from the span's start, keys decayed to its end, the span's decay, and its causal scores.
// Each half of a span has scores of its own, whose queries and keys meet at the half's end (q / the decay that follows),
// or where that could overflow by halves of halves; the later half's queries meet the earlier one's keys in between.
// All stays in registers, as operands of the warp's products; only what it leaves is written, by the lanes that have
// read what was there.
#pragma once

#include "device/barrier.cuh"
#include "hopper/bisection.cuh"
#include "hopper/key_range.cuh"
#include "hopper/key_share.cuh"
#include "hopper/key_steps.cuh"
#include "hopper/own_products.cuh"
#include "kernels/read.cuh"

namespace rankone {

// Cutting both operands of a score to ten digits takes 7e-4 of it on average, and nothing where neither decays: giving
// back half leaves the least of a bias either way.
inline constexpr float untruncated = 1.00035f;

template <class T, class Gate> struct KeySpan {
  using Operand = typename T::Storage;
  static constexpr HopperLayout layout = T::layout;
  static constexpr bool wants_scores = T::reads_query;
  const StagePlace<T>& place;
  int first_row;
  SpanRange<T> range;         // float16 alone
  unsigned token_mask[2][2];  // of a half: which of the lane's steps a sequence still has
  int block, inputs, decays;  // the lane's places in a tile of q or k, in one of inputs, and among decays
  // Queries by keys 0 to 7 and 8 to 15 of a half, future keys' are noise; and of the later half by keys of the earlier.
  float scores[2][2][4] = {}, off_diagonal[2][4] = {};
  // Of a half's tokens `group` and `group + 8` with themselves, in the lane's columns, where they are kept apart.
  float diagonal[2][2] = {};
  bool has_diagonal = false;

  using Tile = SwizzledTile<Operand, T::chunk>;
  static constexpr int half_bytes = sub_chunk * swizzle_row_bytes;  // from a half's place in a tile to the other's
  RK_DEVICE KeySpan(const StagePlace<T>& at, int span, const SpanRange<T>& span_range)
      : place(at), first_row(span * T::span), range(span_range),
        block(Tile{at.base + at.first_column / block_keys * Tile::bytes}.block_place(first_row, 0)),
        inputs(Tile{at.base}.transposed_place(first_row, 0)),
        decays((at.first_column * T::spans + span * layout.rank_columns + 2 * lane_place().pair) * 4) {
#pragma unroll
    for (int i = 0; i < 4; ++i) token_mask[i / 2][i % 2] = KeySteps::token_mask_of(at.rows - first_row - 8 * i);
  }

  // Eight elements of an operand: pairs of columns, of rows `group` and `group + 8` in turn.
  static RK_DEVICE void unpack(const Quad<Operand>& quad, float (&values)[8]) {
#pragma unroll
    for (int word = 0; word < 4; ++word) Element<Operand>::unpack(quad.r[word], values[2 * word], values[2 * word + 1]);
  }
  // 16 columns of a half, as a lane holds them.
  struct Operands {
    float queries[8], keys[8];
    // The lane's first row and its second, of queries or else of keys, times what decays between.
    RK_DEVICE void decay_towards(float (&values)[8], const KeySteps& steps, const Quad<bf16>& between, bool first,
                                 bool second) const {
      float sums[2][4];
      steps.sum(sums, between);
#pragma unroll
      for (int i = 0; i < 8; ++i)
        values[i] = ((i / 2 % 2 != 0 ? second : first) ? queries[i] : keys[i]) * exp2(sums[i / 4][i % 4]);
    }
  };
  struct Half {
    KeySteps steps;
    Operands operands;        // keys have decayed to the half's end
    float rest[2][4];         // the logarithm of the decay that follows a token
    float sums[4], whole[4];  // what the lane's columns decay by from start to end: logarithms, and decays
  };
  // q and k, through their expressions.
  RK_DEVICE void load(Operands& operands, const KeySteps& steps, int half, int column) const {
    const int there = Tile::moved(block, column) + half * half_bytes;
    Quad<Operand> quad;
    if constexpr (wants_scores) {
      load_matrix_x4(quad.r, layout.query + there);
      unpack(quad, operands.queries);
    }
    if constexpr (T::reads_key) {
      load_matrix_x4(quad.r, layout.key + there);
      unpack(quad, operands.keys);
    }
    rewrite(operands, steps, half, column);
    scale(operands, half);
  }
  RK_DEVICE void evaluate_steps(KeySteps& steps, int half, int column) const {
    steps.template evaluate<T, Gate>(place, Tile::moved(inputs, column) + half * half_bytes,
                                     first_row + half * sub_chunk, column, token_mask[half]);
  }
  RK_DEVICE void rewrite(Operands& operands, const KeySteps& steps, int half, int column) const {
    const LanePlace lane = lane_place();
    if constexpr (wants_scores && T::has_feature_map) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const bool exists = T::key_dim % block_keys == 0 || column + i / 4 * 8 + 2 * lane.pair + i % 2 < T::key_dim;
        operands.queries[i] = exists ? Gate::feature_map(operands.queries[i]) : 0.0f;  // of zero it may be infinite
      }
    }
    if constexpr (T::rewrites || T::has_write_scale) {
      float token_sums[2][4];
      if constexpr (T::rewrites) steps.sum(token_sums, ones_where([](int row, int token) { return row == token; }));
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int row = first_row + half * sub_chunk + lane.group + i / 2 % 2 * 8,
                  at_column = column + i / 4 * 8 + 2 * lane.pair + i % 2;
        StageAt<T> at = place.at(row, at_column);
        float& key = operands.keys[i];
        if constexpr (T::rewrites) {
          at.decay_value = exp2(token_sums[i / 4][i % 4]);
          if constexpr (T::reads_key) at.key_value = Gate::feature_map(key);
          key = Gate::key(at);
        }
        if constexpr (T::has_write_scale) key *= Gate::write_scale(at);
        if (!place.exists(row, at_column)) key = 0.0f;
      }
    }
  }

  RK_DEVICE void scale(Operands& operands, int half) const {
    if constexpr (T::range_scaled) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        operands.keys[i] *= range.key_factor();
        if constexpr (wants_scores) operands.queries[i] *= range.query_factor(2 * half + i / 2 % 2);
      }
    }
  }

  RK_DEVICE void store(int tile, int half, int column, const float (&values)[8]) const {
    Quad<Operand> quad;
#pragma unroll
    for (int word = 0; word < 4; ++word) quad.r[word] = Element<Operand>::pack(values[2 * word], values[2 * word + 1]);
    store_matrix_x4(tile + Tile::moved(block, column) + half * half_bytes, quad.r);
  }
  // c += the 16 by 16 products of `a` and `b`, in tf32: its ten digits save the products of what bf16 rounds away.
  static RK_DEVICE void add_products(float (&c)[2][4], const float (&a)[8], const float (&b)[8]) {
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
      const float* const x = a + 4 * tile;
      const float* const y = b + 4 * tile;
      const unsigned left[4] = {as_bits(x[0]), as_bits(x[2]), as_bits(x[1]), as_bits(x[3])};
#pragma unroll
      for (int half = 0; half < 2; ++half) mma_tf32(c[half], left, as_bits(y[2 * half]), as_bits(y[2 * half + 1]));
    }
  }

  // sum += the products of rows 8 to 15 with rows 0 to 7.
  static RK_DEVICE void add_lower_products(float (&sum)[4], const float (&a)[8]) {
    float c[4] = {};
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
      const float* const x = a + 4 * tile;
      const unsigned left[4] = {0u, as_bits(x[2]), 0u, as_bits(x[3])};
      mma_tf32(c, left, as_bits(x[0]), as_bits(x[1]));
    }
    sum[2] += c[2];
    sum[3] += c[3];
  }
  // values *= the factors of their columns
  static RK_DEVICE void decay_columns(float (&values)[8], const float (&factors)[4]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] *= factors[i / 4 * 2 + i % 2];
  }

  // For any decays: each half's scores by halves of halves, its queries then decayed from its start.
  // Queries of an upper half and keys of the lower one meet at the middle, so that every factor is a decay. An operand's
  // upper halves hold queries, its lower ones keys. No loop: each halving would wait for the one before.
  RK_DEVICE void add_bisected_scores(Half (&halves)[2], int column, const Bisection& bisection) {
    const LanePlace lane = lane_place();
    const Quad<bf16> first = ones_of(bisection.between);
    Operands raw[2];
    float sums[2][4], values[8];
#pragma unroll
    for (int half = 0; half < 2; ++half) load(raw[half], halves[half].steps, half, column);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if constexpr (!T::reads_earlier && !T::keeps_own_apart) {
#pragma unroll
        for (int i = 0; i < 8; ++i) diagonal[half][i / 2 % 2] += raw[half].queries[i] * raw[half].keys[i];
      }
      raw[half].decay_towards(values, halves[half].steps, first, false, true);
      add_lower_products(scores[half][0], values);
    }
    if constexpr (!T::reads_earlier && !T::keeps_own_apart) has_diagonal = true;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int level = 1; level < bisection_levels; ++level) {
        const bool are_queries = (lane.group & (sub_chunk / 2 >> level)) != 0;
        raw[half].decay_towards(values, halves[half].steps, ones_of(bisection.between >> lane_elements * level),
                                are_queries, are_queries);
        float c[2][4] = {};
        add_products(c, values, values);
        const unsigned wanted = bisection.wanted >> lane_elements * level;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          if ((wanted >> i & 1u) != 0) scores[half][i / 4][i % 4] += c[i / 4][i % 4];
        }
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      halves[half].steps.sum(sums, ones_of(bisection.whole));
#pragma unroll
      for (int i = 0; i < 8; ++i) halves[half].operands.queries[i] = raw[half].queries[i] * exp2(sums[i / 4][i % 4]);
    }
  }
  // Where both meet at the half's end: queries by what decays after it, which no float32 overflows with.
  RK_DEVICE void add_anchored_scores(Half (&halves)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Operands& operands = halves[half].operands;
#pragma unroll
      for (int i = 0; i < 8; ++i) operands.queries[i] *= exp2(-halves[half].rest[i / 4][i % 4]);
      add_products(scores[half], operands.queries, operands.keys);
      decay_columns(operands.queries, halves[half].whole);
    }
  }

  // The same where a query's own decay does not apply to what it reads. `unread`: ones from a query's own token on.
  RK_DEVICE void add_anchored_earlier_scores(Half (&halves)[2], const Quad<bf16>& unread) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Operands& operands = halves[half].operands;
      float sums[2][4];
      halves[half].steps.sum(sums, unread);
#pragma unroll
      for (int i = 0; i < 8; ++i) operands.queries[i] *= exp2(-sums[i / 4][i % 4]);
      add_products(scores[half], operands.queries, operands.keys);
      decay_columns(operands.queries, halves[half].whole);
    }
  }
  // A bonus: queries with their own keys, as they are.
  RK_DEVICE void add_own_products(const Half (&halves)[2], int column) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Operands raw;
      load(raw, halves[half].steps, half, column);
      OwnProducts<T, Gate>::add(place, first_row + half * sub_chunk, column, raw.queries, raw.keys, diagonal[half]);
    }
  }

  // Gates and operands of a half, with keys decayed to its end.
  // Returns whether queries might leave float32 if they met them there. Exponentials of keys stand beside gates: apart,
  // each would wait for its own.
  RK_DEVICE bool decay_keys_to_end(Half& half, int index, int column, const Quad<bf16>& after) const {
    const bool last_row = lane_place().group == last_group;  // has the sums of all
    bool beyond_anchor = false;
    evaluate_steps(half.steps, index, column);
    half.steps.sum(half.rest, after);
    load(half.operands, half.steps, index, column);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float& sum = half.rest[i / 2][2 + i % 2];
      beyond_anchor = beyond_anchor ||
                      !(absolute(sum) <= static_cast<float>(anchor_log2_limit));  // also where a token's is not finite
      half.sums[i] = sum;
      half.whole[i] = exp2(sum);
      if (last_row) sum = 0.0f;
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) half.operands.keys[i] *= exp2(half.rest[i / 4][i % 4]);
    return beyond_anchor;
  }
  // The span's decay. `totals`: where to add up log-decays, in the state-only role.
  RK_DEVICE void store_decays(const Half (&halves)[2], int totals, int column) const {
    const bool last_row = lane_place().group == last_group;
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
      const int i = 2 * tile, place_of_pair = decays + (column + 8 * tile) * 4;
      shared_store_if(last_row, place.base + layout.decay + place_of_pair, halves[0].whole[i] * halves[1].whole[i],
                      halves[0].whole[i + 1] * halves[1].whole[i + 1]);
      if constexpr (!wants_scores) {
        const Pair before = last_row ? shared_load<Pair>(totals + place_of_pair) : Pair{};
        shared_store_if(last_row, totals + place_of_pair, before.first + halves[0].sums[i] + halves[1].sums[i],
                        before.second + halves[0].sums[i + 1] + halves[1].sums[i + 1]);
      }
    }
  }
  // The scores of both halves and of the later half's queries with the earlier half's keys; then queries are decayed from
  // the span's start, keys to its end.
  RK_DEVICE void add_scores(Half (&halves)[2], int column, bool beyond_anchor, const Bisection& bisection) {
    if constexpr (wants_scores) {
      if constexpr (!T::reads_earlier) {
        if (any_lane(beyond_anchor))
          add_bisected_scores(halves, column, bisection);
        else
          add_anchored_scores(halves);
      } else {
        const Bisection before = bisection.without_own();
        if (any_lane(beyond_anchor))
          add_bisected_scores(halves, column, before);
        else
          add_anchored_earlier_scores(halves, ones_of(~before.whole));
      }
      add_products(off_diagonal, halves[1].operands.queries, halves[0].operands.keys);
      decay_columns(halves[1].operands.queries, halves[0].whole);
    }
    decay_columns(halves[0].operands.keys, halves[1].whole);
  }

  // The next 16 key columns from `column`.
  RK_DEVICE void run(int column, int totals, const Quad<bf16>& after, const Bisection& bisection) {
    const LanePlace lane = lane_place();
    Half halves[2];
    bool beyond_anchor = false;
#pragma unroll
    for (int half = 0; half < 2; ++half)
      beyond_anchor = decay_keys_to_end(halves[half], half, column, after) || beyond_anchor;
    store_decays(halves, totals, column);
    if constexpr (T::has_own_weights || T::keeps_own_apart) {  // of the policy alone: what is tacit stands nowhere else
      if constexpr (wants_scores) add_own_products(halves, column);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      float& whole = halves[i / 4].whole[i % 4];
      whole = shuffle(whole, lane_at(last_group, lane.pair));
    }
    add_scores(halves, column, beyond_anchor, bisection);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if constexpr (wants_scores) store(layout.query, half, column, halves[half].operands.queries);
      store(layout.key, half, column, halves[half].operands.keys);
    }
  }

  // A bonus beside decays of value columns.
  RK_DEVICE void store_own(int part) {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int token = first_row + lane.group + 8 * i;
      const float sum = OwnProducts<T, Gate>::over_quad(diagonal[i / 2][i % 2]);
      if (lane.pair == 0) shared_store<float>(own_products<T>(place.base) + (part * T::chunk + token) * 4, sum);
    }
  }
  // The four lanes of a row add up their columns; one of them has the score of the row with itself.
  RK_DEVICE void add_diagonal() {
    if constexpr (!T::has_own_weights) {
      if (!has_diagonal) return;
    }
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int half = i / 2, side = i % 2;
      float sum = diagonal[half][side] * (1.0f / untruncated);  // nothing has been cut from these
      sum += shuffle_xor(sum, 1);
      sum += shuffle_xor(sum, 2);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        if constexpr (T::has_own_weights) {
          if (2 * lane.pair + j == lane.group) scores[half][side][2 * side + j] = sum;
        } else {
          if (2 * lane.pair + j == lane.group) scores[half][side][2 * side + j] += sum;
        }
      }
    }
  }

  // Adds up in part 0 what all parts of the span's columns have, the upper half of them to the lower one in turn.
  RK_DEVICE void sum_parts(int span, int part) {
    constexpr int parts = layout.key_parts, lane_bytes = 16, step = warp_size * lane_bytes, steps = 6;
    float* const values[steps] = {scores[0][0], scores[0][1],    scores[1][0],
                                  scores[1][1], off_diagonal[0], off_diagonal[1]};
#pragma unroll
    for (int half = parts / 2; half > 0; half /= 2) {
      // A place is written next by who has read it.
      const int place = layout.sums + (span * (parts / 2) + part % half + parts / 2 - half) * score_part_floats * 4 +
                        lane_index() * lane_bytes;
      if (part >= half && part < 2 * half) {
#pragma unroll
        for (int i = 0; i < steps; ++i) {
          const float* const four = values[i];
          shared_store<Vector16>(place + i * step,
                                 Vector16{{as_bits(four[0]), as_bits(four[1]), as_bits(four[2]), as_bits(four[3])}});
        }
      }
      named_barrier_sync(gate_barrier, group_threads);
      if (part < half) {
#pragma unroll
        for (int i = 0; i < steps; ++i) {
          const Vector16 four = shared_load<Vector16>(place + i * step);
#pragma unroll
          for (int j = 0; j < 4; ++j) values[i][j] += as_float(four.word[j]);
        }
      }
    }
  }

  // Blocks of core_bytes: [keys of a half][queries, 8 at a time][8 of the keys].
  RK_DEVICE void write_scores(int offset) const {
    const LanePlace lane = lane_place();
    float factors[4] = {untruncated, untruncated, untruncated, untruncated};  // of a lane's queries
    if constexpr (T::range_scaled) {
#pragma unroll
      for (int side = 0; side < 4; ++side) factors[side] *= range.score_factor(side);
    }
#pragma unroll
    for (int block = 0; block < 16; ++block) {
      const int key_half = block / 8, side = block / 2 % 4, half = block % 2;
      float pair[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (side / 2 < key_half) {
          pair[i] = 0.0f;
        } else if (side / 2 > key_half) {
          pair[i] = off_diagonal[half][2 * (side % 2) + i] * factors[side];
        } else {  // A future key's product is dropped, not multiplied by zero: it may be infinite.
          const bool past = reads<T>(lane.group + 8 * (side % 2), 8 * half + 2 * lane.pair + i);
          pair[i] = past ? scores[key_half][half][2 * (side % 2) + i] * factors[side] : 0.0f;
          if constexpr (T::keeps_own_apart) {
            if (half == side % 2 && 2 * lane.pair + i == lane.group) pair[i] = 0.0f;
          } else if constexpr (T::has_own_weights) {
            if (half == side % 2 && 2 * lane.pair + i == lane.group)
              pair[i] = scores[key_half][half][2 * half + i] * factors[side];
          }
        }
      }
      shared_store<unsigned>(offset + block * core_bytes + lane.group * core_row_bytes + lane.pair * 4,
                             Element<Operand>::pack(pair[0], pair[1]));
    }
  }
};

template <class T, class Gate>
RK_DEVICE void write_key_chunk(const StagePlace<T>& place, int warp, const Bisection& bisection) {
  constexpr HopperLayout layout = T::layout;
  const KeyShare<T> share(warp);
  const bool exists = share.span * T::span < place.rows;
  SpanRange<T> range;
  if constexpr (T::range_scaled) {
    if (exists) range.measure(place.base, share.span * T::span);
    // Another part's warp rewrites what this one has measured.
    if constexpr (SpanRange<T>::measures && KeyShare<T>::parts > 1) named_barrier_sync(gate_barrier, group_threads);
    if (exists && share.part == 0) range.store(place.base + layout.range + share.span * span_range_bytes);
  }
  KeySpan<T, Gate> span(place, share.span, range);
  // After the last token nothing follows: its row has room for the sum of all.
  const Quad<bf16> after = ones_where([](int row, int token) { return token > row || row == sub_chunk - 1; });
  const int totals = layout.totals - place.first_column * T::spans * 4;  // they are the block's own
  if (exists) share.for_each([&](int column) { span.run(column, totals, after, bisection); });
  if constexpr (T::reads_query) {
    if constexpr (T::keeps_own_apart) {
      if (exists) span.store_own(share.part);
    } else {
      span.add_diagonal();
    }
    if constexpr (layout.score_parts < layout.key_parts) span.sum_parts(share.span, share.part);
    if (!exists || share.part >= layout.score_parts) return;
    const int part =
        (place.first_column / layout.rank_columns * T::spans + share.span) * layout.score_parts + share.part;
    span.write_scores(place.base + layout.scores + part * score_bytes);
  }
}

}  // namespace rankone

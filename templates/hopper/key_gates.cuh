// SPDX-License-Identifier: MIT
// Per-key decays: a warp takes 64 key columns of a span of 16 tokens, two columns a lane, and leaves behind
//   queries anchored at the span's end (q / the decay that follows), or where that could overflow at its start,
//   keys decayed to the span's end, the span's decay, and its part of the causal scores.
// All is the warp's own: only what it leaves is for others.
#pragma once

#include "device/barrier.cuh"
#include "hopper/gates.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

// Queries are anchored at the end while no key of the panel loses more than this within the span: factors up to 2^60
// keep their digits in bf16 and cannot overflow with keys and queries of any ordinary size.
constexpr float anchored_log2_decay = -60.0f;

RK_DEVICE float warp_minimum(float value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) {
    const float other = shuffle_xor(value, mask);
    value = other < value ? other : value;
  }
  return value;
}

// A span's rows of 64 columns: two of them a lane.
template <class Operand> using Block = Panels<Operand, sub_chunk>;

// c += the 16 x 16 products of query rows and key rows.
template <class Operand>
RK_DEVICE void multiply_blocks(float (&c)[2][4], const Block<Operand>& query, const Block<Operand>& key) {
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    Quad<Operand> a, b;
    query.load_block(a.r, 0, 16 * step);
    key.load_block(b.r, 0, 16 * step);
    multiply<false>(c[0], a, b, 0);
    multiply<false>(c[1], a, b, 1);
  }
}

template <class T, class Gate>
struct KeyUnit {
  using Operand = typename T::Storage;
  static constexpr HopperLayout layout = T::layout;
  static constexpr bool wants_scores = T::role != Role::states;
  const PanelPlace<T>& place;
  int span, panel;

  RK_DEVICE int column() const { return panel * 64 + 2 * lane_index(); }
  RK_DEVICE Block<Operand> staged(int tile) const {
    return {place.base + tile + panel * T::chunk * panel_bytes + span * sub_chunk * panel_bytes};
  }
  RK_DEVICE Block<Operand> own(int index) const {
    constexpr int blocks = layout.scratch < 0 ? 2 : 1;
    return {layout.rest + (warp_index() % T::helper_warps * blocks + index) * sub_chunk * panel_bytes};
  }
  RK_DEVICE Block<Operand> query() const { return staged(layout.query); }
  RK_DEVICE Block<Operand> key() const { return staged(layout.key); }
  // Two blocks of room: first the log-decays, in a high and a low part, then what rounding takes from q and from k.
  RK_DEVICE Block<Operand> high() const { return layout.scratch < 0 ? own(1) : staged(layout.scratch); }
  RK_DEVICE Block<Operand> low() const { return own(0); }

  static RK_DEVICE Pair load(const Block<Operand>& block, int t) {
    Pair pair;
    Element<Operand>::unpack(shared_load<unsigned>(block.at(t, 2 * lane_index())), pair.first, pair.second);
    return pair;
  }
  // Stores the values rounded, and returns what that takes from them.
  static RK_DEVICE Pair store(const Block<Operand>& block, int t, const Pair& values) {
    const unsigned rounded = Element<Operand>::pack(values.first, values.second);
    shared_store<unsigned>(block.at(t, 2 * lane_index()), rounded);
    Pair kept;
    Element<Operand>::unpack(rounded, kept.first, kept.second);
    return {values.first - kept.first, values.second - kept.second};
  }
  static RK_DEVICE Pair product(const Pair& a, const Pair& b) { return {a.first * b.first, a.second * b.second}; }
  static RK_DEVICE Pair sum(const Pair& a, const Pair& b) { return {a.first + b.first, a.second + b.second}; }
  static RK_DEVICE Pair exp2_of(const Pair& a) { return {exp2(a.first), exp2(a.second)}; }
  static RK_DEVICE Pair exp2_of_minus(const Pair& a) { return {exp2(-a.first), exp2(-a.second)}; }
  RK_DEVICE Pair step(int t) const { return sum(load(high(), t), load(low(), t)); }

  // Base-2 log-decays to where they wait, and q and k through their expressions. The span's log-decay.
  RK_DEVICE Pair evaluate() const {
    Pair whole{0.0f, 0.0f};
#pragma unroll 8
    for (int t = 0; t < sub_chunk; ++t) {
      const int row = span * sub_chunk + t;
      float steps[2], keys[2] = {}, queries[2] = {};
      if constexpr (T::rewrites || T::has_write_scale) {
        if constexpr (T::reads_key) {
          const Pair pair = load(key(), t);
          keys[0] = pair.first;
          keys[1] = pair.second;
        }
        if constexpr (wants_scores && T::has_feature_map) {
          const Pair pair = load(query(), t);
          queries[0] = Gate::feature_map(pair.first);
          queries[1] = Gate::feature_map(pair.second);
        }
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const bool exists = row < place.rows && column() + i < T::key_dim;
        PanelAt<T> at = place.at(row, column() + i);
        const float log_decay = Gate::log_decay(at);
        steps[i] = exists ? log2_decay(log_decay) : 0.0f;
        if constexpr (T::rewrites) {
          at.decay_value = exp2(steps[i]);
          if constexpr (T::reads_key) at.key_value = Gate::feature_map(keys[i]);
          keys[i] = Gate::key(at);
        }
        if constexpr (T::has_write_scale) keys[i] *= Gate::write_scale(at);
        if (!exists) keys[i] = 0.0f;
      }
      const Pair both{steps[0], steps[1]};
      whole = sum(whole, both);
      store(low(), t, store(high(), t, both));
      if constexpr (T::rewrites || T::has_write_scale) store(key(), t, {keys[0], keys[1]});
      if constexpr (wants_scores && T::has_feature_map) store(query(), t, {queries[0], queries[1]});
    }
    return whole;
  }

  // Backwards through the span: k times the decay that follows a token, q over it.
  RK_DEVICE void anchor_at_end() const {
    Pair follows{0.0f, 0.0f};
#pragma unroll 8
    for (int t = sub_chunk - 1; t >= 0; --t) {
      const Pair own_step = step(t);
      const Pair rest = store(key(), t, product(load(key(), t), exp2_of(follows)));
      if constexpr (wants_scores) {
        store(high(), t, store(query(), t, product(load(query(), t), exp2_of_minus(follows))));
        store(low(), t, rest);
      }
      follows = sum(follows, own_step);
    }
  }
  RK_DEVICE void add_anchored(float (&c)[2][4]) const {
    float all[2][4] = {};
    multiply_blocks(all, query(), key());
    multiply_blocks(all, high(), key());
    multiply_blocks(all, query(), low());
    // A future key's product is dropped, not multiplied by zero: it may be infinite.
    add_where(c, all, [](int row, int column) { return row >= column; });
  }

  template <class Wanted>
  static RK_DEVICE void add_where(float (&c)[2][4], const float (&all)[2][4], const Wanted& wanted) {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int row = lane.group + i % 4 / 2 * 8, column = i / 4 * 8 + 2 * lane.pair + i % 2;
      if (wanted(row, column)) c[i / 4][i % 4] += all[i / 4][i % 4];
    }
  }

  // For any decays: scores by halves of halves. Queries of an upper half and keys of the lower one meet at the middle, so
  // that every factor is a decay. Of the 16 rows of scratch an upper half's hold queries, a lower half's keys.
  RK_DEVICE void add_exact(float (&c)[2][4]) const {
    Pair steps[sub_chunk];
#pragma unroll
    for (int t = 0; t < sub_chunk; ++t) steps[t] = step(t);
    const Block<Operand> scratch = high();
    if constexpr (T::rewrites || T::has_write_scale) sync_warp();  // q and k as they were evaluated
    float all[2][4] = {};
    multiply_blocks(all, query(), key());
    add_where(c, all, [](int row, int column) { return row == column; });
#pragma unroll 1
    for (int half = sub_chunk / 2; half > 0; half /= 2) {
      Pair since{0.0f, 0.0f}, until{0.0f, 0.0f};
#pragma unroll
      for (int t = 0; t < sub_chunk; ++t) {  // forwards for queries, backwards for keys
        const int back = sub_chunk - 1 - t;
        if ((t & half) != 0) {
          if ((t & (half - 1)) == 0) since = {0.0f, 0.0f};
          since = sum(since, steps[t]);
          store(scratch, t, product(load(query(), t), exp2_of(since)));
        }
        if ((back & half) == 0) {
          if ((back & (half - 1)) == half - 1) until = {0.0f, 0.0f};
          store(scratch, back, product(load(key(), back), exp2_of(until)));
          until = sum(until, steps[back]);
        }
      }
      sync_warp();
      float part[2][4] = {};
      multiply_blocks(part, scratch, scratch);
      // The same block of 2 half tokens, and no other difference above than the half.
      add_where(c, part, [=](int row, int column) {
        return (row & half) != 0 && (column & half) == 0 && ((row ^ column) & ~(2 * half - 1)) == 0;
      });
      sync_warp();
    }
    Pair since{0.0f, 0.0f}, until{0.0f, 0.0f};
#pragma unroll
    for (int t = 0; t < sub_chunk; ++t) {
      const int back = sub_chunk - 1 - t;
      since = sum(since, steps[t]);
      store(query(), t, product(load(query(), t), exp2_of(since)));
      store(key(), back, product(load(key(), back), exp2_of(until)));
      until = sum(until, steps[back]);
    }
  }

  // `total`: sums of log-decays so far, in the state-only role.
  RK_DEVICE void run(float (&c)[2][4], float (&total)[2]) const {
    const Pair whole = evaluate(), decay = exp2_of(whole);
    bool exact = false;
    if constexpr (wants_scores) {
      exact = warp_minimum(whole.first < whole.second ? whole.first : whole.second) < anchored_log2_decay;
    }
    const unsigned sign = exact ? 0x80000000u : 0u;
    shared_store<Pair>(place.base + layout.decay + (span * layout.key_padded + column()) * 4,
                       Pair{as_float(as_bits(decay.first) | sign), as_float(as_bits(decay.second) | sign)});
    total[0] += whole.first;
    total[1] += whole.second;
    if (exact) {
      add_exact(c);
    } else {
      anchor_at_end();
      if constexpr (wants_scores) {
        sync_warp();
        add_anchored(c);
      }
    }
  }
};

// Sums of base-2 log-decays over a segment, for the state-only role: each warp those of its spans and columns.
template <class T>
struct KeyTotals {
  static constexpr int parts = T::layout.score_parts, owned = (T::panels + parts - 1) / parts;
  float sums[owned][2];

  RK_DEVICE void store(const Arguments& arguments, const Item& item, int warp) const {
    const int part = warp / T::spans, span = warp % T::spans, thread = warp * warp_size + lane_index();
    if (warp < parts * T::spans) {
#pragma unroll
      for (int i = 0; i < owned; ++i) {
        const int column = (part + i * parts) * 64 + 2 * lane_index();
        if (column < T::layout.key_padded) {
          shared_store<Pair>(T::layout.totals + (span * T::layout.key_padded + column) * 4, Pair{sums[i][0], sums[i][1]});
        }
      }
    }
    sync_threads(1, T::helper_threads);
    if (item.value_tile == 0) {
      float* const target = arguments.segment_decays + (item.slot * arguments.value_heads + item.head) * T::key_dim;
      for (int column = thread; column < T::key_dim; column += T::helper_threads) {
        float sum = 0.0f;
        for (int i = 0; i < T::spans; ++i) sum += shared_load<float>(T::layout.totals + (i * T::layout.key_padded + column) * 4);
        target[column] = sum;
      }
    }
    sync_threads(1, T::helper_threads);  // kept: a segment of more chunks than there are stages keeps the warps together
  }
};

template <class T, class Gate>
RK_DEVICE void write_key_chunk(const PanelPlace<T>& place, int warp, KeyTotals<T>& totals) {
  using Operand = typename T::Storage;
  constexpr HopperLayout layout = T::layout;
  constexpr int parts = layout.score_parts;
  const int part = warp / T::spans, span = warp % T::spans;
  if (warp >= parts * T::spans || span * sub_chunk >= place.rows) return;
  float c[2][4] = {};
  float ignored[2] = {};
  // Only the state-only role keeps sums, and pays for that with a copy of the unit for each panel.
#pragma unroll(T::role == Role::states ? KeyTotals<T>::owned : 1)
  for (int i = 0; i < KeyTotals<T>::owned; ++i) {
    const int panel = part + i * parts;
    if (panel >= T::panels) break;
    const KeyUnit<T, Gate> unit{place, span, panel};
    if constexpr (T::role == Role::states) unit.run(c, totals.sums[i]);
    else unit.run(c, ignored);
    if constexpr (KeyTotals<T>::owned > 1) sync_warp();  // the room is free for the next panel
  }
  if constexpr (T::role != Role::states) {
    // 8 x 8 blocks of 128 bytes: queries by keys.
    const LanePlace lane = lane_place();
    const int scores = place.base + layout.scores + (span * parts + part) * 512 + lane.group * 16 + lane.pair * 4;
#pragma unroll
    for (int block = 0; block < 4; ++block) {
      const int half = block % 2, side = block / 2;  // of keys, of queries
      shared_store<unsigned>(scores + side * 256 + half * 128,
                             Element<Operand>::pack(c[half][2 * side], c[half][2 * side + 1]));
    }
  }
}

}  // namespace rankone

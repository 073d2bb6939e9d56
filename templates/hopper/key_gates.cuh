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

// c += the 16 x 16 products of query rows and key rows over a panel's 64 columns.
struct Place16 {
  int row, column;
};
template <class Operand, int rows, int other_rows>
RK_DEVICE void multiply_panel(float (&c)[2][4], const Panels<Operand, rows>& query, Place16 query_at,
                              const Panels<Operand, other_rows>& key, Place16 key_at) {
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    Quad<Operand> a, b;
    query.load_block(a.r, query_at.row, query_at.column + 16 * step);
    key.load_block(b.r, key_at.row, key_at.column + 16 * step);
    multiply<false>(c[0], a, b, 0);
    multiply<false>(c[1], a, b, 1);
  }
}

template <class T, class Gate>
struct KeyUnit {
  using Operand = typename T::Storage;
  static constexpr HopperLayout layout = T::layout;
  const PanelPlace<T>& place;
  int span, panel;
  float step[2][sub_chunk];  // base-2 log-decays of the lane's two columns

  RK_DEVICE Place16 here() const { return {first(), panel * 64}; }
  RK_DEVICE int first() const { return span * sub_chunk; }
  RK_DEVICE int column() const { return panel * 64 + 2 * (lane_index()); }

  // Decays, and q and k through their expressions.
  RK_DEVICE void evaluate() {
    const Panels<Operand, T::chunk> query{place.base + layout.query}, key{place.base + layout.key};
#pragma unroll
    for (int t = 0; t < sub_chunk; ++t) {
      const int row = first() + t;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const bool exists = row < place.rows && column() + i < T::key_dim;
        PanelAt<T> at = place.at(row, column() + i);
        const float log_decay = Gate::log_decay(at);
        step[i][t] = exists ? log2_decay(log_decay) : 0.0f;
        if constexpr (T::rewrites) {
          at.decay_value = exp2(step[i][t]);
          if (exists) {
            if constexpr (T::reads_key) at.key_value = Gate::feature_map(key.load(row, column() + i));
            key.store(row, column() + i, Gate::key(at));
            if constexpr (T::role != Role::states && T::has_feature_map) {
              query.store(row, column() + i, Gate::feature_map(query.load(row, column() + i)));
            }
          } else if constexpr (!T::reads_key) {
            key.store(row, column() + i, 0.0f);
          }
        }
      }
    }
  }

  struct Scaled {
    float low, high;
    unsigned rounded;
    RK_DEVICE Scaled(unsigned pair, float low_factor, float high_factor) {
      Element<Operand>::unpack(pair, low, high);
      low *= low_factor;
      high *= high_factor;
      rounded = Element<Operand>::pack(low, high);
    }
    RK_DEVICE unsigned rest() const {
      float first, second;
      Element<Operand>::unpack(rounded, first, second);
      return Element<Operand>::pack(low - first, high - second);
    }
  };
  RK_DEVICE unsigned scaled(unsigned pair, float low_factor, float high_factor) const {
    return Scaled(pair, low_factor, high_factor).rounded;
  }

  // Scores by halves of halves: queries of an upper half and keys of the lower one meet at the middle, so that every
  // factor is a decay. `rows` is 16 rows of scratch: an upper half's hold queries, a lower half's keys.
  RK_DEVICE void add_halves(float (&c)[2][4], const Panels<Operand, T::chunk>& scratch, int half) {
    const Panels<Operand, T::chunk> query{place.base + layout.query}, key{place.base + layout.key};
    float since[2] = {}, until[2] = {};
#pragma unroll
    for (int t = 0; t < sub_chunk; ++t) {  // forwards for queries, backwards for keys
      const int back = sub_chunk - 1 - t;
      if ((t & half) != 0) {
        if ((t & (half - 1)) == 0) since[0] = since[1] = 0.0f;
        since[0] += step[0][t];
        since[1] += step[1][t];
        shared_store<unsigned>(scratch.at(first() + t, column()),
                               scaled(shared_load<unsigned>(query.at(first() + t, column())), exp2(since[0]), exp2(since[1])));
      }
      if ((back & half) == 0) {
        if ((back & (half - 1)) == half - 1) until[0] = until[1] = 0.0f;
        shared_store<unsigned>(scratch.at(first() + back, column()),
                               scaled(shared_load<unsigned>(key.at(first() + back, column())), exp2(until[0]), exp2(until[1])));
        until[0] += step[0][back];
        until[1] += step[1][back];
      }
    }
    sync_warp();
    float all[2][4] = {};
    multiply_panel(all, scratch, here(), scratch, here());
    // The same block of 2 half tokens, and no other difference above than the half.
    add_where(c, all, [=](int row, int column) {
      return (row & half) != 0 && (column & half) == 0 && ((row ^ column) & ~(2 * half - 1)) == 0;
    });
    sync_warp();
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

  // Write scales multiply key rows last, so that scores and state agree on them.
  RK_DEVICE float write_scale(int row) const {
    if constexpr (T::has_write_scale) return Gate::write_scale(place.at(row, 0));
    return 1.0f;
  }

  // `total`: sums of log-decays so far, in the state-only role.
  RK_DEVICE void run(float (&c)[2][4], float (&total)[2]) {
    const Panels<Operand, T::chunk> query{place.base + layout.query}, key{place.base + layout.key};
    evaluate();
    float sum[2] = {};
#pragma unroll
    for (int t = 0; t < sub_chunk; ++t) {
      sum[0] += step[0][t];
      sum[1] += step[1][t];
    }
    total[0] += sum[0];
    total[1] += sum[1];
    if constexpr (T::has_write_scale) {
#pragma unroll
      for (int t = 0; t < sub_chunk; ++t) {
        const int at = key.at(first() + t, column());
        const float write = first() + t < place.rows ? write_scale(first() + t) : 0.0f;
        shared_store<unsigned>(at, scaled(shared_load<unsigned>(at), write, write));
      }
    }
    bool exact = false;
    if constexpr (T::role != Role::states) {
      exact = warp_minimum(sum[0] < sum[1] ? sum[0] : sum[1]) < anchored_log2_decay;
      if (exact) {
        const Panels<Operand, T::chunk> scratch{place.base + layout.scratch};
        sync_warp();
        float all[2][4] = {};
        multiply_panel(all, query, here(), key, here());
        add_where(c, all, [](int row, int column) { return row == column; });
#pragma unroll 1
        for (int half = sub_chunk / 2; half > 0; half /= 2) add_halves(c, scratch, half);
        float since[2] = {};
#pragma unroll
        for (int t = 0; t < sub_chunk; ++t) {
          since[0] += step[0][t];
          since[1] += step[1][t];
          const int at = query.at(first() + t, column());
          shared_store<unsigned>(at, scaled(shared_load<unsigned>(at), exp2(since[0]), exp2(since[1])));
        }
      }
    }
    const unsigned sign = exact ? 0x80000000u : 0u;
    shared_store<Pair>(place.base + layout.decay + (span * layout.key_padded + column()) * 4,
                       Pair{as_float(as_bits(exp2(sum[0])) | sign), as_float(as_bits(exp2(sum[1])) | sign)});
    // What rounding takes from both stays for the scores, which thus are those of float32 operands.
    const Panels<Operand, T::chunk> query_rest{place.base + layout.scratch};
    const Panels<Operand, sub_chunk> key_rest{layout.rest + (warp_index() % T::helper_warps) * sub_chunk * panel_bytes};
    float until[2] = {};
#pragma unroll
    for (int t = sub_chunk - 1; t >= 0; --t) {
      const int key_at = key.at(first() + t, column());
      const Scaled scaled_key(shared_load<unsigned>(key_at), exp2(until[0]), exp2(until[1]));
      shared_store<unsigned>(key_at, scaled_key.rounded);
      if constexpr (T::role != Role::states) {
        if (!exact) {
          const int query_at = query.at(first() + t, column());
          const Scaled scaled_query(shared_load<unsigned>(query_at), exp2(-until[0]), exp2(-until[1]));
          shared_store<unsigned>(query_at, scaled_query.rounded);
          shared_store<unsigned>(query_rest.at(first() + t, column()), scaled_query.rest());
          shared_store<unsigned>(key_rest.at(t, 2 * lane_index()), scaled_key.rest());
        }
      }
      until[0] += step[0][t];
      until[1] += step[1][t];
    }
    if constexpr (T::role != Role::states) {
      if (!exact) {
        sync_warp();
        float all[2][4] = {};
        multiply_panel(all, query, here(), key, here());
        multiply_panel(all, query_rest, here(), key, here());
        multiply_panel(all, query, here(), key_rest, {0, 0});
        // A future key's product is dropped, not multiplied by zero: it may be infinite.
        add_where(c, all, [](int row, int column) { return row >= column; });
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
    sync_threads(1, T::helper_threads);
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
    KeyUnit<T, Gate> unit{place, span, panel, {}};
    if constexpr (T::role == Role::states) unit.run(c, totals.sums[i]);
    else unit.run(c, ignored);
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

// SPDX-License-Identifier: MIT
// Of the backward pass in chunks with decays per key: operands relative to sub-chunks, and what the tokens of a sub-chunk
// are to each other, pair by pair in float32.
//
// Every factor is a product of decays, never a quotient. A thread has a key's column of a sub-chunk.
#pragma once

#include "kernels/backward_gates.cuh"
#include "kernels/scores.cuh"

namespace rankone {

// As KeyScores reads a chunk; write scales are in its keys.
template <class T> struct OwnScoreTraits : T {
  struct Layout {
    int query, key, decay, scores, score_parts, write, inputs[max_layout_inputs];
  };
  static constexpr Layout layout{
      T::layout.query, T::layout.key, T::layout.key_decay, T::layout.own_scores, T::layout.score_parts, 0, {}};
  static constexpr bool has_write_scale = false, is_long = sizeof(typename T::Operand) == 4 || T::key_padded > 128;
  static constexpr int spans = T::rows;
};

// Nothing is staged beside q and k.
template <class T> struct ChunkPlace<OwnScoreTraits<T>> : TokenPlace<OwnScoreTraits<T>> {
  RK_DEVICE ChunkAt<OwnScoreTraits<T>> at(int row, int column) const { return {*this, row, column}; }
};

template <class T, class Gate> struct KeyGradients {
  using Storage = typename T::Storage;
  using Operand = typename T::Operand;
  static constexpr GradientsLayout layout = T::layout;
  static constexpr int items = T::rows * T::key_padded;
  using Decays = Tile<float, T::key_padded>;
  using Slopes = Tile<float, T::key_padded>;
  using OwnSlopes = Tile<float, sub_chunk>;

  // Before values come: decays, operands, and scores within sub-chunks.
  static RK_DEVICE void prepare(const TokenPlace<T>& place) {
    write_decays(place);
    sync_block();  // decays, and q and k through their formulas
    using Own = OwnScoreTraits<T>;
    write_key_scores<Own, Gate>(ChunkPlace<Own>{{place.arguments, place.work, place.first_token, place.rows}});
    sync_block();  // the scores have read what is now scaled
    scale_operands();
    sync_block();  // scores and operands
  }
  // Rows of a block on the diagonal, all parts together.
  static RK_DEVICE void load_own_scores(float (&block)[2][4], int first) {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float sum[2] = {};
#pragma unroll
      for (int part = 0; part < layout.score_parts; ++part) {
        float more[2];
        load_pair(score_tile<OwnScoreTraits<T>>(part), first + lane.group + i % 2 * 8, i / 2 * 8 + 2 * lane.pair,
                  more[0], more[1]);
        sum[0] += more[0];
        sum[1] += more[1];
      }
      block[i / 2][i % 2 * 2] = sum[0];
      block[i / 2][i % 2 * 2 + 1] = sum[1];
    }
  }
  static RK_DEVICE void store_own_slopes(const float (&block)[2][4], int first) {
    const LanePlace lane = lane_place();
    const OwnSlopes slopes{layout.own_slopes};
#pragma unroll
    for (int i = 0; i < 4; ++i)
      store_pair(slopes, first + lane.group + i % 2 * 8, i / 2 * 8 + 2 * lane.pair, block[i / 2][i % 2 * 2],
                 block[i / 2][i % 2 * 2 + 1]);
  }

  // Behind all products, whose sums stand in shared memory relative to sub-chunks: decays within them, what their own tokens
  // add, and slopes of log-decays but for what later sub-chunks pass.
  static RK_DEVICE void finish(const TokenPlace<T>& place) {
    const Slopes of_query{layout.query_slope}, of_key{layout.key_slope};
    const Decays decays{layout.key_decay};
    const OwnSlopes own{layout.own_slopes};
#pragma unroll 1
    for (int item = thread_index(); item < items; item += T::threads) {
      const int first = item / T::key_padded * sub_chunk, column = item % T::key_padded;
      float decay[sub_chunk], q[sub_chunk], k[sub_chunk], dq[sub_chunk], dk[sub_chunk];
#pragma unroll
      for (int t = 0; t < sub_chunk; ++t) {
        decay[t] = decays.load(first + t, column);
        operands(place, first + t, column, decay[t], q[t], k[t]);
      }
      // What a query passes of a key, and the key of it, cancels in the slopes of all decays before both: bit by bit, since
      // each is multiplied by the operand that the other was. `reads` and `writes`: what that changes.
      constexpr bool is_rounded = T::has_gates && sizeof(Operand) == 2;
      float reads[is_rounded ? sub_chunk : 1], writes[is_rounded && !reads_own<T> ? sub_chunk : 1], kept = 1.0f;
#pragma unroll
      for (int t = 0; t < sub_chunk; ++t) {
        if constexpr (reads_own<T>) kept *= decay[t];
        const float slope = of_query.load(first + t, column), scaled = q[t] * kept;
        dq[t] = slope * kept;
        if constexpr (is_rounded) reads[t] = (rounded<Operand>(scaled) - scaled) * slope;
        if constexpr (!reads_own<T>) kept *= decay[t];
      }
      kept = 1.0f;
#pragma unroll
      for (int t = sub_chunk - 1; t >= 0; --t) {
        const float slope = of_key.load(first + t, column), scaled = k[t] * kept;
        dk[t] = slope * kept;
        if constexpr (is_rounded) {
          const float more = (rounded<Operand>(scaled) - scaled) * slope;
          if constexpr (reads_own<T>) {
            reads[t] -= more;
          } else {
            writes[t] = more;
          }
        }
        kept *= decay[t];
      }
#pragma unroll
      for (int j = 0; j < sub_chunk; ++j) {
        float passed = 1.0f;
#pragma unroll
        for (int i = j + 1; i < sub_chunk; ++i) {
          if constexpr (reads_own<T>) passed *= decay[i];
          const float slope = own.load(first + i, j) * passed;
          dq[i] = multiply_add(slope, k[j], dq[i]);
          dk[j] = multiply_add(slope, q[i], dk[j]);
          if constexpr (!reads_own<T>) passed *= decay[i];
        }
      }
      float behind = 0.0f;
#pragma unroll
      for (int t = sub_chunk - 1; t >= 0; --t) {
        if constexpr (T::has_gates) {
          if constexpr (reads_own<T>) {
            behind += multiply_add(q[t], dq[t], -(k[t] * dk[t]));
            if constexpr (is_rounded) behind += reads[t];
            decays.store(first + t, column, behind);
          } else {
            behind -= k[t] * dk[t];
            if constexpr (is_rounded) behind -= writes[t];
            decays.store(first + t, column, behind);
            behind = multiply_add(q[t], dq[t], behind);
            if constexpr (is_rounded) behind += reads[t];
          }
        }
        const float slope = reads_own<T> ? own.load(first + t, t) : 0.0f;  // a token passes nothing to itself
        of_query.store(first + t, column, multiply_add(slope, k[t], dq[t]));
        of_key.store(first + t, column, multiply_add(slope, q[t], dk[t]));
      }
      if constexpr (T::has_gates) {
        shared_store<float>(layout.span_slope + item * 4, behind);
        if (first == 0) shared_store<float>(layout.state_sums + column * 4, passed_to_end(column));
      }
    }
  }
  // Under a bonus: the slope of a token's own product.
  static RK_DEVICE float own_slope(int row) { return OwnSlopes{layout.own_slopes}.load(row, row % sub_chunk); }
  // The slope of a log-decay, once all threads have finished.
  static RK_DEVICE float log_slope(int row, int column) {
    float slope = Decays{layout.key_decay}.load(row, column) + shared_load<float>(layout.state_sums + column * 4);
    for (int span = row / sub_chunk + 1; span < T::rows; ++span)
      slope += shared_load<float>(layout.span_slope + (span * T::key_padded + column) * 4);
    return slope;
  }

 private:
  static RK_DEVICE float span_decay(int span, int column) {
    return shared_load<float>(layout.span_decay + (span * T::key_padded + column) * 4);
  }
  static RK_DEVICE float write_scale(int row) {
    if constexpr (T::has_write_scale) return shared_load<float>(layout.write + row * 4);
    return 1.0f;
  }
  // To the state behind the chunk: by the state before it, and by all of its keys.
  static RK_DEVICE float passed_to_end(int column) {
    float product = 0.0f, writes = 0.0f, to_end = 1.0f;
#pragma unroll
    for (int i = T::rows - 1; i >= 0; --i) {
      product += shared_load<float>(layout.state_sums + (i * T::key_padded + column) * 4);
      writes = multiply_add(shared_load<float>(layout.write_sums + (i * T::key_padded + column) * 4), to_end, writes);
      to_end *= span_decay(i, column);
    }
    return multiply_add(product, to_end, writes);
  }
  template <class Number> static RK_DEVICE float rounded(float value) { return to_float(Element<Number>::from(value)); }
  // The query and the scaled key that are multiplied, rounded as they were for that; zero where there are none.
  static RK_DEVICE void operands(const TokenPlace<T>& place, int row, int column, float decay, float& query,
                                 float& key) {
    const bool exists = row < place.rows && column < T::key_dim;
    TokenAt<T> at = place.at(row, column);
    at.decay_value = decay;
    const int head = place.work.query_head;
    const float raw_query = place.template element<Storage>(T::Ports::q, head, row, place.key_of(column));
    float raw_key = 0.0f;
    if constexpr (T::reads_key) raw_key = place.template element<Storage>(T::Ports::k, head, row, place.key_of(column));
    const float read = read_query<T, Gate>(at, raw_query), written = written_key<T, Gate>(at, raw_key);
    query = exists ? rounded<Storage>(read) : 0.0f;
    key = exists ? rounded<Storage>(written * write_scale(row)) : 0.0f;
  }

  static RK_DEVICE void write_decays(const TokenPlace<T>& place) {
    const Tile<Storage, T::key_padded> query{layout.query}, key{layout.key};
    const Decays tile{layout.key_decay};
#pragma unroll 1
    for (int item = thread_index(); item < items; item += T::threads) {
      const int first = item / T::key_padded * sub_chunk, column = item % T::key_padded;
      float sum = 0.0f;
#pragma unroll(tokens_at_once)
      for (int t = 0; t < sub_chunk; ++t) {
        const int row = first + t;
        const bool exists = row < place.rows && column < T::key_dim;
        TokenAt<T> at = place.at(row, column);
        at.decay_value = key_decay<T, Gate>(place, row, column, sum);
        tile.store(row, column, at.decay_value);
        if constexpr (T::rewrites_query) {
          if (exists) query.store(row, column, read_query<T, Gate>(at, query.load(row, column)));
        }
        if constexpr (T::rewrites_key || T::has_write_scale) {
          float raw = 0.0f;
          if constexpr (T::reads_key) raw = key.load(row, column);
          key.store(row, column, exists ? written_key<T, Gate>(at, raw) * write_scale(row) : 0.0f);
        }
      }
      shared_store<float>(layout.span_decay + item * 4, exp2(sum));
    }
  }
  static RK_DEVICE void scale_operands() {
    const Tile<Storage, T::key_padded> query{layout.query}, key{layout.key};
    const Tile<Operand, T::key_padded> scaled_query{layout.scaled_query}, scaled_key{layout.scaled_key},
        written{layout.written_key};
    const Decays decays{layout.key_decay};
#pragma unroll 1
    for (int item = thread_index(); item < items; item += T::threads) {
      const int span = item / T::key_padded, first = span * sub_chunk, column = item % T::key_padded;
      float kept = 1.0f, to_end = 1.0f;
#pragma unroll 4
      for (int t = 0; t < sub_chunk; ++t) {
        if constexpr (reads_own<T>) kept *= decays.load(first + t, column);
        scaled_query.store(first + t, column, query.load(first + t, column) * kept);
        if constexpr (!reads_own<T>) kept *= decays.load(first + t, column);
      }
      for (int later = span + 1; later < T::rows; ++later) to_end *= span_decay(later, column);
      kept = 1.0f;
#pragma unroll 4
      for (int t = sub_chunk - 1; t >= 0; --t) {
        const float scaled = key.load(first + t, column) * kept;
        scaled_key.store(first + t, column, scaled);
        written.store(first + t, column, scaled * to_end);
        kept *= decays.load(first + t, column);
      }
    }
  }
};

}  // namespace rankone

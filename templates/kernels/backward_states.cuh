// SPDX-License-Identifier: MIT
// Of the backward pass in chunks: the state before each chunk, and the slopes of the state behind each.
//
// What the loss gains by the state behind a chunk is a state, too, seen in a mirror: it is walked from the last token to
// the first, with queries in the place of keys and outputs' slopes in the place of values. A chunk's tokens decay from
// each to the end that the walk goes to. Half of the blocks walk the one, half the other.
#pragma once

#include "kernels/backward_gates.cuh"
#include "kernels/fragment.cuh"
#include "kernels/states.cuh"

namespace rankone {

// The four lanes of a group hold each a word of row `group` of four 8x8 matrices; then lane `pair` has all words of that
// row of matrix `pair`. Warp-wide.
RK_DEVICE Vector16 row_of_matrix(const unsigned (&word)[4]) {
  const auto exchange = [](unsigned value, int mask) { return as_bits(shuffle_xor(as_float(value), mask)); };
  const int pair = lane_place().pair;
  const bool is_odd = pair % 2 != 0, is_high = pair / 2 != 0;
  unsigned own[2], other[2];  // of matrices `pair % 2` and that + 2
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    own[i] = is_odd ? word[2 * i + 1] : word[2 * i];
    other[i] = exchange(is_odd ? word[2 * i] : word[2 * i + 1], 1);
  }
  unsigned first[2], second[2];  // words of lanes 2 i and 2 i + 1
  first[0] = is_odd ? other[0] : own[0];
  first[1] = is_odd ? own[0] : other[0];
  second[0] = is_odd ? other[1] : own[1];
  second[1] = is_odd ? own[1] : other[1];
  Vector16 row;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const unsigned kept = is_high ? second[i] : first[i], given = exchange(is_high ? first[i] : second[i], 2);
    row.word[i] = is_high ? given : kept;
    row.word[2 + i] = is_high ? kept : given;
  }
  return row;
}

template <class T, class Gate> struct StateWalk {
  using Storage = typename T::Storage;
  using Operand = typename T::Operand;
  static constexpr StateWalkLayout layout = T::walk_layout;
  static constexpr int depth = Quad<Operand>::depth, steps = T::chunk / depth;
  using KeyTile = Tile<Storage, T::key_padded>;
  using ColumnTile = Tile<Storage, T::state_columns>;
  const Arguments& arguments;
  const Work& work;
  const bool of_slopes;
  const Source<Storage> keys, values;
  const int column_warp = warp_index() / T::key_parts, first_key = warp_index() % T::key_parts * T::state_blocks * 16;
  float state[T::state_blocks][2][4];  // m: value columns, n: keys
  FetchedInputs<T> fetched;
  using Place = TokenPlace<StagedInputs<T>>;
  using ScaledTile = Tile<Operand, T::key_padded>;

  RK_DEVICE StateWalk(const Arguments& from, const Work& of, bool slopes)
      : arguments(from), work(of), of_slopes(slopes),
        keys(Source<Storage>::template of<T>(from, slopes ? T::Ports::q : T::Ports::k, of, of.query_head, 0,
                                             T::key_dim)),
        values(Source<Storage>::template of<T>(from, slopes ? T::Ports::output_slope : T::Ports::v, of, of.head,
                                               of.value_column, T::value_dim)) {}

  RK_DEVICE void run() {
    const long long chunks = (work.length + T::chunk - 1) / T::chunk;
    load(of_slopes ? T::Ports::dfinal_state : T::Ports::initial_state);
    // Turn -1 only starts what turn 0 needs.
#pragma unroll 1
    for (long long turn = -1; turn < chunks; ++turn) {
      const long long chunk = of_slopes ? chunks - 1 - turn : turn, next = of_slopes ? chunk - 1 : chunk + 1;
      const bool more = turn + 1 < chunks;
      const int stage = (turn & (T::stages - 1)) != 0 ? layout.stage_bytes : 0,
                next_stage = T::stages == 2 && stage == 0 && turn >= 0 ? layout.stage_bytes : 0;
      if constexpr (T::stages == 2) {
        if (turn >= 0) {
          copy_wait<0>();
          sync_block();  // the stage and the tokens' gates are there, and nobody is in the chunk before
        }
        if (more) load_chunk(next, next_stage);
      } else if (turn >= 0) {
        if (turn > 0) sync_block();  // the only stage is free once every warp has left it
        load_chunk(chunk, stage);
        copy_wait<0>();
        sync_block();  // the stage and the tokens' gates are there
      }
      if (more) fetch_gates(place_of(next));
      if (turn >= 0) {
        prepare(chunk, stage);
        sync_block();  // weights and operands
        save(work.first_slot + chunk);
        if (of_slopes || more) update(stage);
      }
      if (more) write_gates(place_of(next));
    }
    if (of_slopes) store_start();
  }

 private:
  RK_DEVICE TokenPlace<T> place_of(long long chunk) const {
    const long long first = chunk * T::chunk;
    return {arguments, work, first, static_cast<int>(clamp(work.length - first, 0, T::chunk))};
  }
  RK_DEVICE Place staged_place_of(long long chunk, int stage) const {
    const TokenPlace<T> place = place_of(chunk);
    return {arguments, work, place.first_token, place.rows, stage};
  }
  RK_DEVICE void load_chunk(long long chunk, int stage) const {
    const Place place = staged_place_of(chunk, stage);
    if constexpr (T::decays_by_key) load_key_inputs(place);
    if (T::reads_key || of_slopes) copy_rows<T>(KeyTile{stage + layout.key}, keys, place.first_token, place.rows);
    copy_rows<T>(ColumnTile{stage + layout.value}, values, place.first_token, place.rows);
    copy_commit();
  }
  // A thread a token: there are more threads.
  RK_DEVICE void fetch_gates(const TokenPlace<T>& place) {
    if (thread_index() < place.rows) fetched.fetch(place.at(thread_index(), 0));
  }
  RK_DEVICE void write_gates(const TokenPlace<T>& place) {
    const int row = thread_index();
    if (row < T::chunk)
      write_token_gates<T, Gate>(fetched.at(place.at(row, 0)), layout.decay, layout.write, row < place.rows);
  }

  RK_DEVICE void prepare(long long chunk, int stage) {
    const TokenPlace<T> place = place_of(chunk);
    if (warp_index() == 0) write_weights();
    if constexpr (T::decays_by_key) write_scaled_keys(staged_place_of(chunk, stage));
    if constexpr (T::rewrites_query && !T::decays_by_key) {
      if (of_slopes) rewrite_queries<T, Gate>(place, KeyTile{stage + layout.key});
    }
    if constexpr (T::rewrites_key && !T::decays_by_key) {
      if (!of_slopes) rewrite_keys<T, Gate>(place, KeyTile{stage + layout.key}, [](int) { return 1.0f; });
    }
    if constexpr (T::has_value) {
      if (!of_slopes)
        rewrite_values<T, Gate, ColumnTile, T::state_columns>(place, ColumnTile{stage + layout.value},
                                                              work.value_column);
    }
  }
  // From each token to the end that the walk goes to: behind the last one, or before the first, where a query reads.
  RK_DEVICE void write_weights() const {
    if constexpr (T::decays_by_head) {
      const ChunkSums<T> sums(layout.decay);
      const Exponent start{0.0f, 0.0f};
#pragma unroll
      for (int i = 0; i < ChunkSums<T>::own; ++i)
        if (ChunkSums<T>::has(i))
          store_weight(ChunkSums<T>::token(i), of_slopes ? exp2_of_difference(sums.until_read(i), start)
                                                         : exp2_of_difference(sums.total, sums.sums[i]));
      if (lane_index() == 0)
        shared_store<Unrounded>(layout.chunk_decay, unrounded_exp2(sums.total.whole + sums.total.fraction));
    } else {
      for (int row = lane_index(); row < T::chunk; row += warp_size) store_weight(row, 1.0f);
    }
  }
  // Decays per key: queries from their sub-chunk's start on, keys to its end, through their formulas. A thread a column.
  RK_DEVICE void write_scaled_keys(const Place& place) const {
    const KeyTile tile{place.stage + layout.key};
    const ScaledTile scaled = scaled_keys(place.stage);
#pragma unroll 1
    for (int item = thread_index(); item < T::rows * T::key_padded; item += T::threads) {
      const int first = item / T::key_padded * sub_chunk, column = item % T::key_padded;
      float sum = 0.0f, kept = 1.0f;
      if (of_slopes) {
#pragma unroll(tokens_at_once)
        for (int t = 0; t < sub_chunk; ++t) {
          TokenAt<StagedInputs<T>> at = place.at(first + t, column);
          at.decay_value = key_decay<StagedInputs<T>, Gate>(place, first + t, column, sum);
          if constexpr (reads_own<T>) kept *= at.decay_value;
          float query = tile.load(first + t, column);
          if constexpr (T::rewrites_query) {
            if (first + t < place.rows && column < T::key_dim) query = read_query<StagedInputs<T>, Gate>(at, query);
          }
          scaled.store(first + t, column, query * kept);
          if constexpr (!reads_own<T>) kept *= at.decay_value;
        }
      } else {
#pragma unroll(tokens_at_once)
        for (int t = sub_chunk - 1; t >= 0; --t) {
          TokenAt<StagedInputs<T>> at = place.at(first + t, column);
          at.decay_value = key_decay<StagedInputs<T>, Gate>(place, first + t, column, sum);
          float key = 0.0f;
          if constexpr (T::reads_key) key = tile.load(first + t, column);
          if constexpr (T::rewrites_key)
            key = first + t < place.rows && column < T::key_dim ? written_key<StagedInputs<T>, Gate>(at, key) : 0.0f;
          scaled.store(first + t, column, key * kept);
          kept *= at.decay_value;
        }
      }
      shared_store<Unrounded>(layout.chunk_decay + item * 8, unrounded_exp2(sum));
    }
  }
  RK_DEVICE static ScaledTile scaled_keys(int stage) {
    return {layout.scaled >= 0 ? layout.scaled : stage + layout.key};
  }
  RK_DEVICE void store_weight(int row, float decay) const {
    float weight = of_slopes ? decay * arguments.scale : decay;
    if constexpr (T::has_write_scale) {
      if (!of_slopes) weight *= shared_load<float>(layout.write + row * 4);
    }
    shared_store<float>(layout.weight + row * 4, weight);
  }

  // Whether the warp has an i-th block of keys.
  RK_DEVICE bool has_block(int i) const {
    constexpr bool all = T::key_parts * T::state_blocks * 16 == T::key_padded;
    return all || first_key + i * 16 < T::key_padded;
  }
  RK_DEVICE void decay(float (&s)[2][4]) const {
    if constexpr (T::decays_by_head) {
      const Unrounded chunk_decay = shared_load<Unrounded>(layout.chunk_decay);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        float& element = s[i / 4][i % 4];
        element = T::split_products ? multiply_add(element, chunk_decay.high, element * chunk_decay.low)
                                    : element * chunk_decay.high;
      }
    }
  }
  RK_DEVICE Quad<Operand> weighted_values(int stage, int row) const {
    auto v = load_quad_transposed<Operand>(ColumnTile{stage + layout.value}, row, column_warp * 16);
    scale_steps(v, [&](int token) { return shared_load<float>(layout.weight + (row + token) * 4); });
    return v;
  }
  // Decays per key: sub-chunk by sub-chunk.
  RK_DEVICE void update_by_key(int stage) {
    const ScaledTile keys_of_stage = scaled_keys(stage);
#pragma unroll 1
    for (int turn = 0; turn < T::rows; ++turn) {
      const int span = of_slopes ? T::rows - 1 - turn : turn, row = span * sub_chunk;
      Quad<Operand> v[sub_chunk / depth];
#pragma unroll
      for (int step = 0; step < sub_chunk / depth; ++step) v[step] = weighted_values(stage, row + step * depth);
#pragma unroll
      for (int i = 0; i < T::state_blocks; ++i) {
        if (!has_block(i)) break;
        decay_keys(state[i], span, first_key + i * 16);
#pragma unroll
        for (int step = 0; step < sub_chunk / depth; ++step) {
          const auto k = load_quad_transposed<Operand>(keys_of_stage, row + step * depth, first_key + i * 16);
          multiply<T::split_products>(state[i][0], v[step], k, 0);
          multiply<T::split_products>(state[i][1], v[step], k, 1);
        }
      }
    }
  }
  RK_DEVICE void decay_keys(float (&s)[2][4], int span, int first) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int key = first + i / 2 * 8 + 2 * lane_place().pair + i % 2;
      const Unrounded decay = shared_load<Unrounded>(layout.chunk_decay + (span * T::key_padded + key) * 8);
#pragma unroll
      for (int side = 0; side < 2; ++side) {
        float& element = s[i / 2][2 * side + i % 2];
        element = T::split_products ? multiply_add(element, decay.high, element * decay.low) : element * decay.high;
      }
    }
  }
  RK_DEVICE void update(int stage) {
    if constexpr (T::decays_by_key) return update_by_key(stage);
    const KeyTile key{stage + layout.key};
    if constexpr (sizeof(Operand) == 2) {
      Quad<Operand> v[steps];
#pragma unroll
      for (int step = 0; step < steps; ++step) v[step] = weighted_values(stage, step * depth);
#pragma unroll
      for (int i = 0; i < T::state_blocks; ++i) {
        if (!has_block(i)) break;
        decay(state[i]);
#pragma unroll
        for (int step = 0; step < steps; ++step) {
          const auto k = load_quad_transposed<Operand>(key, step * depth, first_key + i * 16);
          multiply<false>(state[i][0], v[step], k, 0);
          multiply<false>(state[i][1], v[step], k, 1);
        }
      }
    } else {
      // What the chunk adds is summed apart: tensor cores cut sums short instead of rounding them.
#pragma unroll
      for (int i = 0; i < T::state_blocks; ++i) {
        if (!has_block(i)) break;
        float added[2][4] = {};
#pragma unroll 1
        for (int step = 0; step < steps; ++step) {
          const auto v = weighted_values(stage, step * depth);
          const auto k = load_quad_transposed<Operand>(key, step * depth, first_key + i * 16);
          multiply<T::split_products>(added[0], v, k, 0);
          multiply<T::split_products>(added[1], v, k, 1);
        }
        decay(state[i]);
#pragma unroll
        for (int j = 0; j < 8; ++j) state[i][j / 4][j % 4] += added[j / 4][j % 4];
      }
    }
  }

  // Calls visit(element, key, value column) for all of the warp's.
  template <class Visit> RK_DEVICE void for_each(const Visit& visit) {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < T::state_blocks; ++i) {
#pragma unroll
      for (int j = 0; j < 8; ++j)
        visit(state[i][j / 4][j % 4], first_key + i * 16 + j / 4 * 8 + 2 * lane.pair + j % 2,
              work.value_column + column_warp * 16 + lane.group + j % 4 / 2 * 8);
    }
  }
  RK_DEVICE void load(int index) {
    const States<T, const void> states{port<T>(arguments, index).data, arguments.value_heads};
    const bool is_there = states.exists(work.sequence);
    const long long first = states.first(work.sequence, work.head);
    for_each([&](float& element, int key, int column) {
      element =
          is_there && key < T::key_dim && column < T::value_dim
              ? states.load(first + key * States<T, const void>::key_step + column * States<T, const void>::column_step)
              : 0.0f;
    });
  }
  RK_DEVICE void store_start() {
    const States<T, void> states{port<T>(arguments, T::Ports::dinitial_state).data, arguments.value_heads};
    if (!states.exists(work.sequence)) return;
    const long long first = states.first(work.sequence, work.head);
    for_each([&](float& element, int key, int column) {
      if (key < T::key_dim && column < T::value_dim)
        states.store(first + key * States<T, void>::key_step + column * States<T, void>::column_step, element);
    });
  }

  // As `gradients` multiplies it: rows of keys, one for each value column. Where is worked out anew for each chunk: registers are
  // dearer.
  RK_DEVICE void save(long long slot) const {
    const LanePlace lane = lane_place();
    const int first_column = work.value_column + column_warp * 16;
    if (first_column >= T::value_padded) return;
    const Global<Operand> target = global<Operand>(of_slopes ? arguments.segment_states : arguments.chunk_states) +
                                   (first_state_element<T>(arguments, slot, opaque(work.head)) +
                                    static_cast<long long>(first_column) * T::key_padded);
#pragma unroll
    for (int i = 0; i < T::state_blocks; ++i) {
      const int block = first_key + i * 16;
      if (!has_block(i)) break;
      if constexpr (sizeof(Operand) == 2) {
        const auto& s = state[i];
        const unsigned words[4] = {pack_bf16(s[0][0], s[0][1]), pack_bf16(s[0][2], s[0][3]),
                                   pack_bf16(s[1][0], s[1][1]), pack_bf16(s[1][2], s[1][3])};
        const int column = lane.group + lane.pair % 2 * 8, key = block + lane.pair / 2 * 8;
        global_store<Vector16>(target + (column * T::key_padded + key), row_of_matrix(words));
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int column = lane.group + j % 2 * 8, key = block + j / 2 * 8 + 2 * lane.pair;
          global_store<Pair>(target + (column * T::key_padded + key),
                             Pair{state[i][j / 2][j % 2 * 2], state[i][j / 2][j % 2 * 2 + 1]});
        }
      }
    }
  }
};

template <class Policy, class Gate> RK_DEVICE void backward_states(const Arguments& arguments) {
  using T = BackwardChunks<Policy>;
  const long long half = block_total() / 2;
  const bool of_slopes = block_index() >= half;
  const long long block = of_slopes ? block_index() - half : block_index(), row = block / T::state_tiles;
  Work work;
  work.value_tile = static_cast<int>(block % T::state_tiles);
  work.value_column = work.value_tile * T::state_columns;
  work.head = static_cast<int>(row % arguments.value_heads);
  work.query_head = work.head / (arguments.value_heads / arguments.heads);
  place_sequence<T>(arguments, row / arguments.value_heads, T::chunk, work);
  StateWalk<T, Gate>(arguments, work, of_slopes).run();
}

}  // namespace rankone

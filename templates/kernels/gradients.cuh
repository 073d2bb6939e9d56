// SPDX-License-Identifier: MIT
// Of the backward pass in chunks: a chunk's gradients, from the state before it and the slopes of the state behind it.
//
// With b the log-decays summed up to each token, B all of them, and for queries i and keys j up to i
//   P_ij = q_i k_j e^(b_i - b_j)    dP_ij = do_i v_j e^(b_i - b_j)
// a block computes
//   dq_i = e^b_i do_i S^T + sum_j dP_ij k_j    dk_j = e^(B - b_j) v_j D^T + sum_i dP_ij q_i
//   dv_j = e^(B - b_j) k_j D + sum_i P_ij do_i
// With decays per key the exponents stand within the sums over keys, and operands are scaled relative to sub-chunks of 16
// tokens, so that no exponent is above 0 (kernels/key_gradients.cuh). Value columns are walked in tiles. What a log-decay adds to the loss is all that passes from before its token to behind
// it: reads of the state by later queries, writes of earlier keys to the end, products of earlier keys with later queries,
// and the state itself. No two of these cancel each other.
#pragma once

#include "kernels/backward_gates.cuh"
#include "kernels/fragment.cuh"
#include "kernels/gradient_formulas.cuh"
#include "kernels/key_gradients.cuh"
#include "kernels/own_tokens.cuh"

namespace rankone {

template <class T, class Gate> struct ChunkGradients {
  using Storage = typename T::Storage;
  using Operand = typename T::Operand;
  static constexpr GradientsLayout layout = T::layout;
  static constexpr int depth = Quad<Operand>::depth;
  // Steps of a long loop that are unrolled: float32 products are long.
  static constexpr int unrolled = sizeof(Operand) == 2 ? 16 : 1;
  using KeyTile = Tile<Storage, T::key_padded>;
  using ValueTile = Tile<Storage, T::value_tile>;
  using StateTile = Tile<Operand, T::key_padded>;
  using ScoreTile = Tile<Operand, T::chunk>;
  using Block = float[2][4];  // 16 rows by 16 columns
  static constexpr KeyTile query{layout.query}, key{layout.key};
  static constexpr StateTile scaled_query{layout.scaled_query}, scaled_key{layout.scaled_key};  // decays per key
  static constexpr ScoreTile scores{layout.scores}, score_slopes{layout.stages};

  const Arguments& arguments;
  const Work& work;
  const TokenPlace<T> place;
  const int warp_row = warp_index() / T::columns, warp_column = warp_index() % T::columns, first = warp_row * 16;
  Block of_query[T::key_blocks] = {}, of_key[T::key_blocks] = {}, of_score[T::score_blocks] = {};
  float state_product = 0.0f, key_products[T::decays_by_key ? T::key_blocks : 1][2] = {};
  FormulaGradients<T, Gate> of_formulas;

  RK_DEVICE ChunkGradients(const Arguments& from, const Work& of)
      : arguments(from), work(of), place{from, of, 0, static_cast<int>(of.length)} {}

  RK_DEVICE void run() {
    load_keys();
    load_values(0, 0);
    write_gates();
    copy_wait<T::stages - 1>();
    if constexpr (!T::decays_by_key || T::rewrites_query || T::rewrites_key || T::has_write_scale)
      sync_block();  // q and k, and tokens' gates
    if (T::decays_by_head && warp_index() == 0) write_decays();
    if constexpr (T::decays_by_key) {
      KeyGradients<T, Gate>::prepare(place);
    } else {
      if constexpr (T::rewrites_query) rewrite_queries<T, Gate>(place, query);
      if constexpr (T::rewrites_key || T::has_write_scale)
        rewrite_keys<T, Gate>(place, key, [](int row) { return write_scale(row); });
      if constexpr (T::decays_by_head || T::rewrites_query || T::rewrites_key || T::has_write_scale)
        sync_block();  // decays, and q and k through their formulas
    }
    write_scores();
    walk_values();
    finish_reads();
    if constexpr (T::has_gates && T::decays_by_key)
      sum_key_gates();
    else if constexpr (T::has_gates)
      sum_gates();
    if constexpr (T::has_value && T::has_head_inputs) of_formulas.store_value_inputs(first, warp_column);
    sync_block();  // nobody is in the last stage
    write_score_slopes();
    sync_block();  // score slopes, and sums of gates
    if (T::has_gates && !T::decays_by_key && warp_index() == 0) write_log_slopes();
    if constexpr (T::decays_by_key)
      add_score_slopes_by_key();
    else
      add_score_slopes();
    sync_block();  // nobody reads q and k
    store_rows(layout.query_slope, of_query);
    store_rows(layout.key_slope, of_key);
    sync_block();  // all slopes of q, k and log-decays
    if constexpr (T::decays_by_key) {
      KeyGradients<T, Gate>::finish(place);
      sync_block();  // those of keys' own decays, too
    }
    of_formulas.finish(place);
  }

 private:
  static RK_DEVICE float write_scale(int row) {
    if constexpr (T::has_write_scale) return shared_load<float>(layout.write + row * 4);
    return 1.0f;
  }
  RK_DEVICE int key_of(int block) const { return (warp_column * T::key_blocks + block) * 16; }
  RK_DEVICE bool has_key_block(int block) const {
    constexpr bool all = T::columns * T::key_blocks * 16 == T::key_padded;
    return all || key_of(block) < T::key_padded;
  }
  // Of scores: those of later keys are nobody's.
  RK_DEVICE int score_column(int block) const { return (warp_column + T::columns * block) * 16; }
  RK_DEVICE bool has_score_block(int block) const { return score_column(block) <= first; }

  RK_DEVICE void load_keys() const {
    copy_rows<T>(query, Source<Storage>::template of<T>(arguments, T::Ports::q, work, work.query_head, 0, T::key_dim),
                 0, place.rows);
    if constexpr (T::reads_key)
      copy_rows<T>(key, Source<Storage>::template of<T>(arguments, T::Ports::k, work, work.query_head, 0, T::key_dim),
                   0, place.rows);
    if constexpr (T::stages == 2) copy_commit();  // else all is waited for together
  }
  // The tile of value columns from `column` on.
  RK_DEVICE void load_values(int column, int stage) const {
    copy_values(T::Ports::output_slope, column, layout.stages + stage + layout.slope);
    copy_values(T::Ports::v, column, layout.stages + stage + layout.value);
    load_state(arguments.chunk_states, column, layout.stages + stage + layout.state);
    load_state(arguments.segment_states, column, layout.stages + stage + layout.state_slope);
    copy_commit();
  }
  RK_DEVICE void copy_values(int index, int column, int tile) const {
    const auto source = Source<Storage>::template of<T>(arguments, index, work, work.head, column, T::value_dim);
    copy_rows<T>(ValueTile{tile}, source, 0, place.rows);
  }
  // Places are worked out anew for each tile: kept from one to the next, they would take more registers than there are.
  RK_DEVICE void load_state(const void* states, int column, int tile) const {
    constexpr int unit = 16 / static_cast<int>(sizeof(Operand)), units = T::key_padded / unit;
    const Global<const Operand> base =
        global<const Operand>(states) + first_state_element<T>(arguments, work.first_slot, opaque(work.head));
#pragma unroll 4
    for (int item = opaque(thread_index()); item < T::value_tile * units; item += T::threads) {
      const int row = item / units, key = item % units * unit;
      const bool exists = T::value_padded % T::value_tile == 0 || column + row < T::value_padded;
      copy_async<16>(StateTile{tile}.at(row, key), exists ? base + ((column + row) * T::key_padded + key) : base,
                     exists ? 16 : 0);
    }
  }

  RK_DEVICE void write_gates() const {
    const int row = thread_index();
    if (row < T::chunk) write_token_gates<T, Gate>(place.at(row, 0), layout.decay, layout.write, row < place.rows);
  }
  RK_DEVICE void write_decays() const {
    const ChunkSums<T> sums(layout.decay);
    const Exponent start{0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < ChunkSums<T>::own; ++i) {
      if (!ChunkSums<T>::has(i)) break;
      const int row = ChunkSums<T>::token(i);
      shared_store<Exponent>(layout.sums + row * 8, sums.sums[i]);
      shared_store<float>(layout.read_decay + row * 4, exp2_of_difference(sums.until_read(i), start));
      shared_store<float>(layout.write_decay + row * 4, exp2_of_difference(sums.total, sums.sums[i]));
    }
  }

  // Of the accumulators' rows.
  static RK_DEVICE int row_of(int element) { return lane_place().group + element / 2 * 8; }
  static RK_DEVICE int column_of(int half, int element) { return half * 8 + 2 * lane_place().pair + element % 2; }

  // What stands between a query and a key: decays and the scale; zero for later keys, whose product may be infinite.
  struct ScoreWeights {
    Exponent of_rows[2];
    float scale;
    int first;

    RK_DEVICE ScoreWeights(int row, float factor) : scale(factor), first(row) {
      if constexpr (T::decays_by_head) {
#pragma unroll
        for (int side = 0; side < 2; ++side) {
          const int last = last_read<T>(row + row_of(2 * side));
          of_rows[side] = last >= 0 ? shared_load<Exponent>(layout.sums + last * 8) : Exponent{0.0f, 0.0f};
        }
      }
    }
    RK_DEVICE void apply(Block& block, int column) const {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int key = column + column_of(half, i);
          Exponent of_key;
          if constexpr (T::decays_by_head) of_key = shared_load<Exponent>(layout.sums + key * 8);
#pragma unroll
          for (int side = 0; side < 2; ++side) {
            float& element = block[half][2 * side + i];
            float weight = scale;
            if constexpr (T::decays_by_head) weight *= exp2_of_difference(of_rows[side], of_key);
            element = reads<T>(first + row_of(2 * side), key) ? element * weight : 0.0f;
          }
        }
      }
    }
  };
  static RK_DEVICE void store_block(const ScoreTile& tile, int row, int column, const Block& block) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      store_pair(tile, row + row_of(i % 2 * 2), column + column_of(i / 2, 0), block[i / 2][i % 2 * 2],
                 block[i / 2][i % 2 * 2 + 1]);
  }

  // Multiplies a quad's steps, which are keys from `key` on, by the decay over a sub-chunk.
  static RK_DEVICE void decay_steps(Quad<Operand>& quad, int span, int key) {
    scale_steps(quad, [&](int step) {
      return shared_load<float>(layout.span_decay + (span * T::key_padded + key + step) * 4);
    });
  }
  // Decays per key: of earlier sub-chunks by products, of the own one as KeyScores has them.
  RK_DEVICE void write_scores_by_key() {
    Block own[T::score_blocks] = {};
#pragma unroll 1
    for (int step = 0; step < T::key_padded; step += depth) {
      auto q = load_quad<Operand>(scaled_query, first, step);
      int reached = warp_row;
#pragma unroll
      for (int i = T::score_blocks - 1; i >= 0; --i) {
        const int column = score_column(i);
        if (column >= first) continue;
        for (; reached > column / sub_chunk + 1; --reached) decay_steps(q, reached - 1, step);
        add<T::split_products>(own[i], q, load_quad<Operand>(scaled_key, column, step));
      }
    }
#pragma unroll
    for (int i = 0; i < T::score_blocks; ++i) {
      const int column = score_column(i);
      if (column > first) break;
      if (column == first && first < place.rows) KeyGradients<T, Gate>::load_own_scores(own[i], first);
#pragma unroll
      for (int j = 0; j < 8; ++j) own[i][j / 4][j % 4] *= arguments.scale;
      store_block(scores, first, column, own[i]);
    }
  }
  RK_DEVICE void write_scores() {
    if constexpr (T::decays_by_key) return write_scores_by_key();
    Block own[T::score_blocks] = {};
#pragma unroll(unrolled)
    for (int step = 0; step < T::key_padded; step += depth) {
      const auto q = load_quad<Operand>(query, first, step);
#pragma unroll
      for (int i = 0; i < T::score_blocks; ++i) {
        if (!has_score_block(i)) break;
        add<T::split_products>(own[i], q, load_quad<Operand>(key, score_column(i), step));
      }
    }
    const ScoreWeights weights(first, arguments.scale);
#pragma unroll
    for (int i = 0; i < T::score_blocks; ++i) {
      if (!has_score_block(i)) break;
      weights.apply(own[i], score_column(i));
      if constexpr (weighs_own<T>) {
        if (score_column(i) == first) set_own_scores(own[i]);
      }
      store_block(scores, first, score_column(i), own[i]);
    }
  }

  // A bonus: four lanes share a token's product.
  RK_DEVICE void set_own_scores(Block& block) const {
    using Own = OwnScoreTraits<T>;
    const ChunkPlace<Own> chunk{{arguments, work, 0, place.rows}};
    const LanePlace lane = lane_place();
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      float own = own_product<Own, Gate>(chunk, first + row_of(2 * side), lane.pair, T::key_dim, 4);
      own += shuffle_xor(own, 1);
      own += shuffle_xor(own, 2);
#pragma unroll
      for (int e = 0; e < 2; ++e)
        if (2 * lane.pair + e == lane.group) block[side][2 * side + e] = own * arguments.scale;
    }
  }
  // The slopes of these products.
  RK_DEVICE void store_own_slopes(const Block& block) const {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int side = i / 2, e = i % 2;
      if (2 * lane.pair + e == lane.group)
        shared_store<float>(layout.own_slope + (first + row_of(2 * side)) * 4,
                            block[side][2 * side + e] * arguments.scale);
    }
  }

  template <bool split> static RK_DEVICE void add(Block& block, const Quad<Operand>& a, const Quad<Operand>& b) {
    multiply<split>(block[0], a, b, 0);
    multiply<split>(block[1], a, b, 1);
  }

  RK_DEVICE void walk_values() {
    int stage = 0;
#pragma unroll 1
    for (int column = 0; column < T::value_dim; column += T::value_tile) {
      const int next = T::stages == 2 && stage == 0 ? layout.stage_bytes : 0;
      const bool more = column + T::value_tile < T::value_dim;
      if constexpr (T::stages == 2) {
        copy_wait<0>();
        sync_block();  // the stage and scores are there, and nobody is in the stage before
        if (more) load_values(column + T::value_tile, next);
      } else {
        if (column > 0) {
          sync_block();  // nobody is in the only stage
          load_values(column, 0);
        }
        copy_wait<0>();
        sync_block();  // the stage and scores are there
      }
      if constexpr (T::has_value) {
        rewrite_values<T, Gate, ValueTile, T::value_tile>(place, ValueTile{layout.stages + stage + layout.value},
                                                          column);
        sync_block();  // values through their formula
      }
      add_states(layout.stages + stage);
      write_value_slopes(layout.stages + stage, column);
      stage = next;
    }
  }
  // Of queries, keys and scores what this tile of value columns adds.
  RK_DEVICE void add_states(int stage) {
    const ValueTile slope{stage + layout.slope}, value{stage + layout.value};
    const StateTile state{stage + layout.state}, state_slope{stage + layout.state_slope};
#pragma unroll(unrolled)
    for (int step = 0; step < T::value_tile; step += depth) {
      const auto d = load_quad<Operand>(slope, first, step), v = load_quad<Operand>(value, first, step);
      const bool is_own = T::has_gates && step / depth % T::rows == warp_row;
#pragma unroll
      for (int i = 0; i < T::key_blocks; ++i) {
        if (!has_key_block(i)) break;
        const auto s = load_quad_transposed<Operand>(state, step, key_of(i)),
                   g = load_quad_transposed<Operand>(state_slope, step, key_of(i));
        add<T::split_products>(of_query[i], d, s);
        add<T::split_products>(of_key[i], v, g);
        if constexpr (T::decays_by_key) {
          if (is_own) add_products(s, g, key_products[i]);
        } else {
          if (is_own) state_product += product(s, g);
        }
      }
#pragma unroll
      for (int i = 0; i < T::score_blocks; ++i) {
        if (!has_score_block(i)) break;
        add<T::split_products>(of_score[i], d, load_quad<Operand>(value, score_column(i), step));
      }
    }
  }
  static RK_DEVICE float product(const Quad<bf16>& a, const Quad<bf16>& b) {
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float x[2], y[2];
      Element<bf16>::unpack(a.r[i], x[0], x[1]);
      Element<bf16>::unpack(b.r[i], y[0], y[1]);
      sum = multiply_add(x[0], y[0], multiply_add(x[1], y[1], sum));
    }
    return sum;
  }
  static RK_DEVICE float product(const Quad<float>& a, const Quad<float>& b) {
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < 4; ++i) sum = multiply_add(a.r[i], b.r[i], sum);
    return sum;
  }

  // Of keys `group` and `group + 8` of a block.
  static RK_DEVICE void add_products(const Quad<bf16>& a, const Quad<bf16>& b, float (&sums)[2]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float x[2], y[2];
      Element<bf16>::unpack(a.r[i], x[0], x[1]);
      Element<bf16>::unpack(b.r[i], y[0], y[1]);
      sums[i % 2] = multiply_add(x[0], y[0], multiply_add(x[1], y[1], sums[i % 2]));
    }
  }
  static RK_DEVICE void add_products(const Quad<float>& a, const Quad<float>& b, float (&sums)[2]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[i % 2] = multiply_add(a.r[i], b.r[i], sums[i % 2]);
  }

  RK_DEVICE void write_value_slopes(int stage, int first_column) {
    const ValueTile slope{stage + layout.slope};
    const StateTile state_slope{stage + layout.state_slope};
#pragma unroll
    for (int i = 0; i < T::value_blocks; ++i) {
      const int column = (warp_column + T::columns * i) * 16;
      if (T::columns * T::value_blocks * 16 != T::value_tile && column >= T::value_tile) break;
      if (T::value_dim % T::value_tile != 0 && first_column + column >= T::value_dim) break;
      Block of_value = {};
#pragma unroll(unrolled)
      for (int step = 0; step < T::key_padded; step += depth)
        add<T::split_products>(of_value, load_written_key(step), load_quad<Operand>(state_slope, column, step));
      if constexpr (T::decays_by_head) {
#pragma unroll
        for (int side = 0; side < 2; ++side) {
          const float decay = shared_load<float>(layout.write_decay + (first + row_of(2 * side)) * 4);
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            of_value[half][2 * side] *= decay;
            of_value[half][2 * side + 1] *= decay;
          }
        }
      }
#pragma unroll(unrolled == 1 ? 1 : T::rows)
      for (int row = 16; row < T::chunk; row += 16) {
        if (row <= first) continue;
#pragma unroll
        for (int step = row; step < row + 16; step += depth)
          add<T::split_products>(of_value, load_quad_transposed<Operand>(scores, step, first),
                                 load_quad_transposed<Operand>(slope, step, column));
      }
      OwnScores<T, true>(scores, first).add_to(of_value, slope, WarpColumns{16, T::columns * i * 16}, last_value<T>);
      of_formulas.store_values(place, opaque(first), first_column + column, of_value);
    }
  }

  RK_DEVICE Quad<Operand> load_written_key(int step) const {
    if constexpr (T::decays_by_key) return load_quad<Operand>(StateTile{layout.written_key}, first, step);
    return load_quad<Operand>(key, first, step);
  }

  // Decays between the state and the chunk's tokens.
  RK_DEVICE void finish_reads() {
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      float read = arguments.scale, write = 1.0f;
      if constexpr (T::decays_by_head) {
        const int row = first + row_of(2 * side);
        read *= shared_load<float>(layout.read_decay + row * 4);
        write = shared_load<float>(layout.write_decay + row * 4);
      }
#pragma unroll
      for (int i = 0; i < T::key_blocks; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          of_query[i][j / 2][2 * side + j % 2] *= read;
          if constexpr (T::decays_by_head) of_key[i][j / 2][2 * side + j % 2] *= write;
        }
      }
    }
  }

  // What passes from token to token, as sums over columns of each warp: of queries' reads of the state before, of keys'
  // writes to the state behind, and of scores within the chunk.
  RK_DEVICE void sum_gates() const {
    const LanePlace lane = lane_place();
    float reads[2] = {}, writes[2] = {}, rows[2] = {};
#pragma unroll
    for (int i = 0; i < T::key_blocks; ++i) {
      if (!has_key_block(i)) break;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int half = j / 2, side = j % 2;
        float q[2], k[2];
        load_pair(query, first + row_of(2 * side), key_of(i) + column_of(half, 0), q[0], q[1]);
        load_pair(key, first + row_of(2 * side), key_of(i) + column_of(half, 0), k[0], k[1]);
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          reads[side] = multiply_add(q[e], of_query[i][half][2 * side + e], reads[side]);
          writes[side] = multiply_add(k[e], of_key[i][half][2 * side + e], writes[side]);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < T::score_blocks; ++i) {
      const int column = score_column(i);
      if (column >= T::chunk) break;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float columns[2] = {};
        if (has_score_block(i)) {
#pragma unroll
          for (int side = 0; side < 2; ++side) {
            const int row = first + row_of(2 * side);
            float p[2];
            load_pair(scores, row, column + column_of(half, 0), p[0], p[1]);
#pragma unroll
            for (int e = 0; e < 2; ++e) {
              const float both = p[e] * of_score[i][half][2 * side + e];
              const float passed = column + column_of(half, e) < row ? both : 0.0f;  // a token passes nothing to itself
              rows[side] += passed;
              columns[e] += passed;
            }
          }
        }
#pragma unroll
        for (int e = 0; e < 2; ++e) {
#pragma unroll
          for (int lanes = 4; lanes < warp_size; lanes *= 2) columns[e] += shuffle_xor(columns[e], lanes);
        }
        if (lane.group == 0)
          shared_store<Pair>(layout.score_columns + (warp_row * T::chunk + column + column_of(half, 0)) * 4,
                             Pair{columns[0], columns[1]});
      }
    }
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      store_row_sum(layout.reads, 2 * side, reads[side]);
      store_row_sum(layout.writes, 2 * side, writes[side]);
      store_row_sum(layout.score_rows, 2 * side, rows[side]);
    }
    const float product = sum_over_warp(state_product);
    if (lane_index() == 0) shared_store<float>(layout.state_products + warp_index() * 4, product);
  }
  // Decays per key: of keys' writes to the state behind their sub-chunk, and of the state before the chunk, with the slopes of
  // the state behind the chunk.
  RK_DEVICE void sum_key_gates() const {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int i = 0; i < T::key_blocks; ++i) {
      if (!has_key_block(i)) break;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float writes[2] = {};
#pragma unroll
        for (int side = 0; side < 2; ++side) {
          float k[2];
          load_pair(scaled_key, first + row_of(2 * side), key_of(i) + column_of(half, 0), k[0], k[1]);
#pragma unroll
          for (int e = 0; e < 2; ++e) writes[e] = multiply_add(k[e], of_key[i][half][2 * side + e], writes[e]);
        }
#pragma unroll
        for (int e = 0; e < 2; ++e) {
#pragma unroll
          for (int lanes = 4; lanes < warp_size; lanes *= 2) writes[e] += shuffle_xor(writes[e], lanes);
        }
        if (lane.group == 0)
          shared_store<Pair>(layout.write_sums + (warp_row * T::key_padded + key_of(i) + column_of(half, 0)) * 4,
                             Pair{writes[0], writes[1]});
        float product = key_products[i][half];
        product += shuffle_xor(product, 1);
        product += shuffle_xor(product, 2);
        if (lane.pair == 0)
          shared_store<float>(layout.state_sums + (warp_row * T::key_padded + key_of(i) + half * 8 + lane.group) * 4,
                              product);
      }
    }
  }
  RK_DEVICE void store_row_sum(int array, int element, float sum) const {
    sum += shuffle_xor(sum, 1);
    sum += shuffle_xor(sum, 2);
    if (lane_place().pair == 0)
      shared_store<float>(array + (warp_column * T::chunk + first + row_of(element)) * 4, sum);
  }
  static RK_DEVICE float sum_of(int array, int count, int row) {
    float sum = 0.0f;
    for (int i = 0; i < count; ++i) sum += shared_load<float>(array + (i * T::chunk + row) * 4);
    return sum;
  }
  // A lane has some tokens side by side, as when log-decays were summed up.
  RK_DEVICE void write_log_slopes() const {
    constexpr int own = ChunkSums<T>::own;
    float behind[own], before[own], ahead = 0.0f, past = 0.0f;
#pragma unroll
    for (int i = own - 1; i >= 0; --i) {
      const int row = ChunkSums<T>::token(i);
      float read = 0.0f, written = 0.0f;
      if (ChunkSums<T>::has(i)) {
        read = sum_of(layout.reads, T::columns, row) + sum_of(layout.score_rows, T::columns, row);
        written = sum_of(layout.score_columns, T::rows, row);
      }
      behind[i] = (reads_own<T> ? ahead + read : ahead) - written;  // from the token on that reads behind its decay
      ahead += read - written;
    }
#pragma unroll
    for (int i = 0; i < own; ++i) {
      before[i] = past;  // up to the token before
      if (ChunkSums<T>::has(i)) past += sum_of(layout.writes, T::columns, ChunkSums<T>::token(i));
    }
#pragma unroll
    for (int lanes = 1; lanes < warp_size; lanes *= 2) {
      const float later = shuffle(ahead, (lane_index() + lanes) % warp_size), earlier = shuffle_up(past, lanes);
      if (lane_index() + lanes < warp_size) ahead += later;
      if (lane_index() >= lanes) past += earlier;
    }
    const float later = shuffle(ahead, (lane_index() + 1) % warp_size), earlier = shuffle_up(past, 1);
    float product = 0.0f;
    for (int warp = 0; warp < T::warps; ++warp) product += shared_load<float>(layout.state_products + warp * 4);
    const Exponent start{0.0f, 0.0f};
    product *= exp2_of_difference(shared_load<Exponent>(layout.sums + (T::chunk - 1) * 8), start);
#pragma unroll
    for (int i = 0; i < own; ++i) {
      float slope = product + behind[i] + before[i];
      if (lane_index() + 1 < warp_size) slope += later;
      if (lane_index() > 0) slope += earlier;
      if (ChunkSums<T>::has(i)) shared_store<float>(layout.log_slope + ChunkSums<T>::token(i) * 4, slope);
    }
  }

  RK_DEVICE void write_score_slopes() {
    if constexpr (T::decays_by_key) {
#pragma unroll
      for (int i = 0; i < T::score_blocks; ++i) {
        if (!has_score_block(i)) break;
#pragma unroll
        for (int j = 0; j < 8; ++j) of_score[i][j / 4][j % 4] *= arguments.scale;
        if (score_column(i) == first)
          KeyGradients<T, Gate>::store_own_slopes(of_score[i], first);
        else
          store_block(score_slopes, first, score_column(i), of_score[i]);
      }
      return;
    }
    const ScoreWeights weights(first, arguments.scale);
#pragma unroll
    for (int i = 0; i < T::score_blocks; ++i) {
      if (!has_score_block(i)) break;
      if constexpr (weighs_own<T>) {
        if (score_column(i) == first) store_own_slopes(of_score[i]);
      }
      weights.apply(of_score[i], score_column(i));
      store_block(score_slopes, first, score_column(i), of_score[i]);
    }
  }
  RK_DEVICE void add_score_slopes() {
#pragma unroll(unrolled == 1 ? 1 : T::rows)
    for (int row = 0; row < T::chunk; row += 16) {
#pragma unroll
      for (int step = row; step < row + 16; step += depth) {
        if (row < first) {
          const auto d = load_quad<Operand>(score_slopes, first, step);
#pragma unroll
          for (int i = 0; i < T::key_blocks; ++i) {
            if (!has_key_block(i)) break;
            add<T::split_products>(of_query[i], d, load_quad_transposed<Operand>(key, step, key_of(i)));
          }
        }
        if (row > first) {
          const auto d = load_quad_transposed<Operand>(score_slopes, step, first);
#pragma unroll
          for (int i = 0; i < T::key_blocks; ++i) {
            if (!has_key_block(i)) break;
            add<T::split_products>(of_key[i], d, load_quad_transposed<Operand>(query, step, key_of(i)));
          }
        }
      }
    }
    add_own_slopes<false>(of_query, key);
    add_own_slopes<true>(of_key, query);
  }
  template <bool of_keys> RK_DEVICE void add_own_slopes(Block (&blocks)[T::key_blocks], const KeyTile& rows) const {
    const OwnScores<T, of_keys> slopes(score_slopes, first);
#pragma unroll
    for (int i = 0; i < T::key_blocks; ++i)
      if (has_key_block(i)) slopes.add_to(blocks[i], rows, WarpColumns{T::key_blocks * 16, i * 16}, last_read<T>);
  }
  // Decays per key: sub-chunk by sub-chunk, a query's from the first one on, and a key's from the last one back.
  RK_DEVICE void add_score_slopes_by_key() {
#pragma unroll 1
    for (int span = 0; span < warp_row; ++span) {
      decay_columns(of_query, span);
#pragma unroll
      for (int step = span * sub_chunk; step < (span + 1) * sub_chunk; step += depth) {
        const auto d = load_quad<Operand>(score_slopes, first, step);
#pragma unroll
        for (int i = 0; i < T::key_blocks; ++i) {
          if (!has_key_block(i)) break;
          add<T::split_products>(of_query[i], d, load_quad_transposed<Operand>(scaled_key, step, key_of(i)));
        }
      }
    }
#pragma unroll 1
    for (int span = T::rows - 1; span > warp_row; --span) {
      decay_columns(of_key, span);
#pragma unroll
      for (int step = span * sub_chunk; step < (span + 1) * sub_chunk; step += depth) {
        const auto d = load_quad_transposed<Operand>(score_slopes, step, first);
#pragma unroll
        for (int i = 0; i < T::key_blocks; ++i) {
          if (!has_key_block(i)) break;
          add<T::split_products>(of_key[i], d, load_quad_transposed<Operand>(scaled_query, step, key_of(i)));
        }
      }
    }
  }
  RK_DEVICE void decay_columns(Block (&blocks)[T::key_blocks], int span) const {
#pragma unroll
    for (int i = 0; i < T::key_blocks; ++i) {
      if (!has_key_block(i)) break;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const Pair decay =
            shared_load<Pair>(layout.span_decay + (span * T::key_padded + key_of(i) + column_of(half, 0)) * 4);
#pragma unroll
        for (int side = 0; side < 2; ++side) {
          blocks[i][half][2 * side] *= decay.first;
          blocks[i][half][2 * side + 1] *= decay.second;
        }
      }
    }
  }
  RK_DEVICE void store_rows(int tile, const Block (&blocks)[T::key_blocks]) const {
    const Tile<float, T::key_padded> rows{tile};
#pragma unroll
    for (int i = 0; i < T::key_blocks; ++i) {
      if (!has_key_block(i)) break;
#pragma unroll
      for (int j = 0; j < 4; ++j)
        store_pair(rows, first + row_of(j % 2 * 2), key_of(i) + column_of(j / 2, 0), blocks[i][j / 2][j % 2 * 2],
                   blocks[i][j / 2][j % 2 * 2 + 1]);
    }
  }
};

template <class Policy, class Gate> RK_DEVICE void chunk_gradients(const Arguments& arguments) {
  using T = BackwardChunks<Policy>;
  Work work;
  work.value_tile = work.value_column = 0;
  work.head = static_cast<int>(block_index() % arguments.value_heads);
  work.query_head = work.head / (arguments.value_heads / arguments.heads);
  const long long slot = block_index() / arguments.value_heads;
  const long long chunk = place_chunk<T>(arguments, slot, T::chunk, work);
  if (chunk < 0 || work.length == 0) {
    if constexpr (T::parameter_count > 0) leave_no_parts<T>(arguments, slot, work.head);
    return;
  }
  ChunkGradients<T, Gate>(arguments, work).run();
}

}  // namespace rankone

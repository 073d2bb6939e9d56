// SPDX-License-Identifier: MIT
// One sub-chunk of the recurrence on the tensor cores: o = q S + scores v, then S = decay S + k^T v.
//
// A warp needs nothing from the others here: it holds every key of its value columns.
#pragma once

#include "kernels/scores.cuh"
#include "kernels/state.cuh"
#include "kernels/state_sum.cuh"

namespace rankone {

// The output at a column of the tile, from what was read.
template <class Traits, class Gate>
RK_DEVICE float output_of(const ChunkPlace<Traits>& place, int row, int column, float read) {
  if constexpr (Traits::has_output) {
    ChunkAt<Traits> at = place.at(row, column);
    if constexpr (!Traits::non_causal)
      at.value_value = ValueTile<Traits>{place.stage + Traits::layout.value}.load(row, column);
    at.read_value = read;
    if constexpr (Traits::has_normaliser) return Gate::output(NormalisedAt<Traits>(at));
    return Gate::output(at);
  }
  return read;
}

template <class Traits, class Gate>
RK_DEVICE void store_output(const ChunkPlace<Traits>& place, int first, const float (&o)[Traits::column_blocks][2][4]) {
  const Arguments& arguments = place.arguments;
  const Work& work = place.work;
  using Storage = typename Traits::Storage;
  struct alignas(2 * sizeof(Storage)) Pair {
    Storage low, high;
  };
  const LanePlace lane = lane_place();
  const int tile_column = warp_index() * Traits::columns + 2 * lane.pair,
            first_column = work.value_column + tile_column;
  const TensorArgument& output = port<Traits>(arguments, Traits::Ports::o);
  Global<Storage> target =
      global<Storage>(output.data) + work.batch * output.batch_stride +
      token_of<Traits>(work.start, work.length, place.first_token + first + lane.group) * output.token_stride +
      work.head * output.head_stride + first_column;
  const bool has_pairs = is_vectorized(arguments, Traits::Ports::o) != 0 ||
                         alignment_of(target, output.token_stride) >= static_cast<int>(sizeof(Pair));
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    if (const int row = first + lane.group + 8 * side; row < place.rows) {
#pragma unroll
      for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int column = block * 16 + half * 8;
          const auto output = [&](int i) {
            const float read = o[block][half][2 * side + i] * arguments.scale;
            return Element<Storage>::from(output_of<Traits, Gate>(place, row, tile_column + column + i, read));
          };
          const Pair pair{output(0), output(1)};
          if (has_pairs && first_column + column + 1 < Traits::value_dim) {
            global_store<Pair>(target + column, pair);
          } else {
            if (first_column + column < Traits::value_dim) global_store<Storage>(target + column, pair.low);
            if (first_column + column + 1 < Traits::value_dim) global_store<Storage>(target + (column + 1), pair.high);
          }
        }
      }
    }
    target += 8 * step_of<Traits>(output.token_stride);
  }
}

template <class Traits> using OperandTile = Tile<typename Traits::Factor, Traits::key_padded>;

template <class Traits>
using ValueQuads =
    Quad<typename Traits::Operand>[Traits::column_blocks][sub_chunk / Quad<typename Traits::Operand>::depth];

template <class Traits, class Values> RK_DEVICE void load_quads(const Values& value, int first, ValueQuads<Traits>& v) {
  using Operand = typename Traits::Operand;
  const int first_column = warp_index() * Traits::columns;
#pragma unroll
  for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
    for (int step = 0; step < sub_chunk / Quad<Operand>::depth; ++step) {
      const int row = first + step * Quad<Operand>::depth;
      v[block][step] = load_quad_transposed<Operand>(value, row, first_column + block * 16);
    }
  }
}

// What the state takes up: where value columns decay, with their weights.
template <class Traits> RK_DEVICE void load_values(const ChunkPlace<Traits>& place, int first, ValueQuads<Traits>& v) {
  if constexpr (Traits::decays_by_value)
    load_quads<Traits>(WeightedValueTile<Traits>{Traits::layout.weighted_value}, first, v);
  else
    load_quads<Traits>(written_values<Traits>(place), first, v);
}

// o += q S over the state's first group of keys. Even and odd steps are two chains of products.
template <class Traits>
RK_DEVICE void read_group(const OperandTile<Traits>& query, int first, int first_key, const State<Traits>& state,
                          float (&o)[Traits::column_blocks][2][4], float (&odd_steps)[Traits::column_blocks][2][4]) {
  using Operand = typename Traits::Operand;
  constexpr int key_steps = 16 / Quad<Operand>::depth;
#pragma unroll
  for (int tile = 0; tile < State<Traits>::group_tiles / 2; ++tile) {
#pragma unroll
    for (int step = 0; step < key_steps; ++step) {
      const auto q = load_quad<Operand>(query, first, first_key + tile * 16 + step * Quad<Operand>::depth);
#pragma unroll
      for (int block = 0; block < Traits::column_blocks; ++block) {
        const auto& tiles = state.values[block];
        Quad<Operand> s;
        if constexpr (key_steps == 1)
          s = quad_of(tiles[2 * tile], tiles[2 * tile + 1]);
        else
          s = quad_of(tiles[2 * tile + step]);
        auto& chain = (tile * key_steps + step) % 2 == 0 ? o : odd_steps;
        multiply<Traits::split_products>(chain[block][0], q, s, 0);
        multiply<Traits::split_products>(chain[block][1], q, s, 1);
      }
    }
  }
}

// The decay over a sub-chunk of two neighbouring keys.
struct KeyDecays {
  Unrounded even{1.0f, 0.0f}, odd{1.0f, 0.0f};

  template <class Traits> RK_DEVICE void load(int span, int key) {
    constexpr Layout layout = Traits::layout;
    if constexpr (Traits::decays_by_key) {
      const int place = (span * Traits::key_padded + key) * 4;
      even.high = shared_load<float>(layout.span_decay + place);
      odd.high = shared_load<float>(layout.span_decay + place + 4);
      if constexpr (Traits::split_products) {
        even.low = shared_load<float>(layout.span_decay_low + place);
        odd.low = shared_load<float>(layout.span_decay_low + place + 4);
      }
    } else if constexpr (Traits::split_products) {
      even = odd = shared_load<Unrounded>(layout.span_decay + span * 16);
    } else {
      even.high = odd.high = shared_load<float>(layout.span_decay + span * 16);
    }
  }
  RK_DEVICE void apply(float (&s)[4]) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) s[i] *= i % 2 == 0 ? even.high : odd.high;
  }
};

// The decay over a sub-chunk of a warp's value columns: those of a lane.
template <class Traits> struct ColumnDecays {
  Unrounded of[Traits::column_blocks][2];

  RK_DEVICE explicit ColumnDecays(int span) {
    constexpr Layout layout = Traits::layout;
    if constexpr (Traits::decays_by_value) {
#pragma unroll
      for (int i = 0; i < 2 * Traits::column_blocks; ++i) {
        const int column = warp_index() * Traits::columns + i * 8 + lane_place().group;
        const int place = (span * Traits::value_tile + column) * 4;
        of[i / 2][i % 2] = {shared_load<float>(layout.value_span_decay + place), 0.0f};
        if constexpr (Traits::split_products)
          of[i / 2][i % 2].low = shared_load<float>(layout.value_span_decay_low + place);
      }
    }
  }
  RK_DEVICE void apply(int block, float (&s)[4]) const {
    if constexpr (Traits::decays_by_value) {
#pragma unroll
      for (int i = 0; i < 4; ++i) s[i] *= of[block][i / 2].high;
    }
  }
};

RK_DEVICE Unrounded product(const Unrounded& a, const Unrounded& b) {
  const float high = a.high * b.high;
  return {high, multiply_add(a.high, b.high, -high) + multiply_add(a.high, b.low, a.low * b.high)};
}

// s = decay s + added, rounded once: over a long sequence of equal tokens every rounding errs the same way.
template <class Traits>
RK_DEVICE void decay_and_add(const KeyDecays& keys, const ColumnDecays<Traits>& columns, int block, float (&s)[4],
                             const float (&added)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if constexpr (!Traits::weighted && !Traits::decays_by_value) {
      s[i] += added[i];
    } else {
      Unrounded decay = i % 2 == 0 ? keys.even : keys.odd;
      if constexpr (Traits::decays_by_value) decay = product(decay, columns.of[block][i / 2]);
      s[i] = multiply_add(s[i], decay.high, multiply_add(s[i], decay.low, added[i]));
    }
  }
}

// S = decay S + k^T v over the state's first group of keys. Tensor cores cut sums short instead of rounding them, which a
// long sum would notice in float32: there what a sub-chunk adds is summed apart.
template <class Traits>
RK_DEVICE void write_group(const OperandTile<Traits>& key, int span, int first_key, const ValueQuads<Traits>& v,
                           const ColumnDecays<Traits>& columns, State<Traits>& state) {
  using Operand = typename Traits::Operand;
  constexpr bool split = Traits::split_products;
  constexpr int depth = Quad<Operand>::depth, steps = sub_chunk / depth;
#pragma unroll
  for (int tile = 0; tile < State<Traits>::group_tiles / 2; ++tile) {
    KeyDecays decays[2];
    float added[split ? Traits::column_blocks : 1][2][4] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if constexpr (Traits::weighted)
        decays[half].template load<Traits>(span, first_key + tile * 16 + half * 8 + 2 * lane_place().pair);
      if constexpr (!split && (Traits::weighted || Traits::decays_by_value)) {
#pragma unroll
        for (int block = 0; block < Traits::column_blocks; ++block) {
          if constexpr (Traits::weighted) decays[half].apply(state.values[block][2 * tile + half]);
          columns.apply(block, state.values[block][2 * tile + half]);
        }
      }
    }
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      const auto k = load_quad_transposed<Operand>(key, span * sub_chunk + step * depth, first_key + tile * 16);
#pragma unroll
      for (int i = 0; i < 2 * Traits::column_blocks; ++i) {
        const int block = i / 2, half = i % 2;
        if constexpr (split)
          multiply<true>(added[block][half], v[block][step], k, half);
        else
          multiply<false>(state.values[block][2 * tile + half], v[block][step], k, half);
      }
    }
    if constexpr (split) {
#pragma unroll
      for (int i = 0; i < 2 * Traits::column_blocks; ++i)
        decay_and_add<Traits>(decays[i % 2], columns, i / 2, state.values[i / 2][2 * tile + i % 2],
                              added[i / 2][i % 2]);
    }
  }
}

// Values that are not finite. A future token's score is zero, and zero times infinity would spoil the outputs before it:
// where a warp finds such a value, the scores meet a zero in its place, and the outputs from its token on are no numbers.
template <class Traits> struct CausalValues {
  using Operand = typename Traits::Operand;
  static constexpr int depth = Quad<Operand>::depth, steps = sub_chunk / depth;

  // Warp-wide.
  static RK_DEVICE bool are_spoilt(const ValueQuads<Traits>& v) {
    bool found = false;
    if constexpr (sizeof(Operand) == 2) {
      SpoiltWords<Operand> spoilt;
#pragma unroll
      for (int i = 0; i < 4 * Traits::column_blocks; ++i) spoilt.add(v[i / 4][0].r[i % 4]);
      found = spoilt.any();
    } else {
      float sum = 0.0f;  // of products with zero
#pragma unroll
      for (int i = 0; i < 8 * Traits::column_blocks; ++i) sum = multiply_add(v[i / 8][i / 4 % 2].r[i % 4], 0.0f, sum);
      found = sum != 0.0f;
    }
    return any_lane(found);
  }
  static RK_DEVICE void clear_spoilt(ValueQuads<Traits>& v) {
#pragma unroll
    for (int i = 0; i < 4 * steps * Traits::column_blocks; ++i) {
      auto& element = v[i / 4 / steps][i / 4 % steps].r[i % 4];
      if constexpr (sizeof(Operand) == 2)
        element = finite_halves<Operand>(element);
      else
        element = is_finite(element) ? element : 0.0f;
    }
  }
  // `v` as it was loaded. How many of a column's values are not finite up to a token is a product with ones.
  static RK_DEVICE void spoil(float (&o)[Traits::column_blocks][2][4], const ValueQuads<Traits>& v) {
    const LanePlace lane = lane_place();
#pragma unroll
    for (int block = 0; block < Traits::column_blocks; ++block) {
      float counts[2][4] = {};
#pragma unroll
      for (int step = 0; step < steps; ++step) {
        Quad<Operand> until, spoilt;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int row = last_value<Traits>(lane.group + i % 2 * 8),
                    token = step * depth + i / 2 * (depth == 16 ? 8 : 1) + 2 * lane.pair;
          if constexpr (sizeof(Operand) == 2) {
            constexpr unsigned one = Element<Operand>::one;
            until.r[i] = (token <= row ? one : 0u) | (token + 1 <= row ? one << 16 : 0u);
            spoilt.r[i] = ones_of_spoilt<Operand>(v[block][step].r[i]);
          } else {
            until.r[i] = token <= row ? 1.0f : 0.0f;
            spoilt.r[i] = is_finite(v[block][step].r[i]) ? 0.0f : 1.0f;
          }
        }
#pragma unroll
        for (int half = 0; half < 2; ++half) multiply<false>(counts[half], until, spoilt, half);
      }
#pragma unroll
      for (int i = 0; i < 8; ++i)
        if (counts[i / 4][i % 4] > 0.0f) o[block][i / 4][i % 4] = not_a_number();
    }
  }
};

// What the sub-chunk's own tokens say.
template <class Traits>
RK_DEVICE void add_values(const ChunkPlace<Traits>& place, int first, ValueQuads<Traits>& v,
                          float (&o)[Traits::column_blocks][2][4]) {
  using Operand = typename Traits::Operand;
  constexpr bool split = Traits::split_products;
  constexpr Layout layout = Traits::layout;
  const bool spoilt = CausalValues<Traits>::are_spoilt(v);
  if (spoilt) CausalValues<Traits>::clear_spoilt(v);
  // Parts of a float32 score are summed first; in bf16 a product each costs less than unpacking them.
  constexpr int products = sizeof(Operand) == 2 ? layout.score_parts : 1;
#pragma unroll
  for (int part = 0; part < products; ++part) {
#pragma unroll
    for (int step = 0; step < sub_chunk / Quad<Operand>::depth; ++step) {
      auto p = load_quad<Operand>(score_tile<Traits>(part), first, step * Quad<Operand>::depth);
      if constexpr (sizeof(Operand) == 4) {
#pragma unroll
        for (int other = 1; other < layout.score_parts; ++other) {
          const auto more = load_quad<Operand>(score_tile<Traits>(other), first, step * Quad<Operand>::depth);
#pragma unroll
          for (int i = 0; i < 4; ++i) p.r[i] += more.r[i];
        }
      }
#pragma unroll
      for (int block = 0; block < Traits::column_blocks; ++block) {
        multiply<split>(o[block][0], p, v[block][step], 0);
        multiply<split>(o[block][1], p, v[block][step], 1);
      }
    }
  }
  if (spoilt) {
    load_values<Traits>(place, first, v);
    CausalValues<Traits>::spoil(o, v);
  }
}

// Value columns that decay: each lane sums for its outputs over the tokens up to the query, from the last one back, whose
// decays come one after the other between them and the query. Lanes stay together: a later token counts as nothing.
template <class Traits>
RK_DEVICE void add_decaying_values(const ChunkPlace<Traits>& place, int first,
                                   float (&o)[Traits::column_blocks][2][4]) {
  constexpr int parts = Traits::layout.score_parts, pairs = 2 * Traits::column_blocks;
  const LanePlace lane = lane_place();
  const ValueTile<Traits> value = written_values<Traits>(place);
  const ValueDecayTile<Traits> decay{Traits::layout.value_decay};
  const int first_column = warp_index() * Traits::columns + 2 * lane.pair;
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    const int query = lane.group + 8 * side;
    float sum[pairs][2] = {}, kept[pairs][2];
#pragma unroll
    for (int i = 0; i < 2 * pairs; ++i) kept[i / 2][i % 2] = 1.0f;
#pragma unroll 1
    for (int token = 8 * side + last_group; token >= 0; --token) {
      const bool is_read = token <= last_value<Traits>(query);
      float score = 0.0f;
#pragma unroll
      for (int part = 0; part < parts; ++part) score += score_tile<Traits>(part).load(first + query, token);
#pragma unroll
      for (int i = 0; i < pairs; ++i) {
        float v[2], d[2];
        load_pair(value, first + token, first_column + i * 8, v[0], v[1]);
        load_pair(decay, first + token, first_column + i * 8, d[0], d[1]);
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          sum[i][j] = multiply_add(is_read ? score * kept[i][j] : 0.0f, is_read ? v[j] : 0.0f, sum[i][j]);
          kept[i][j] *= reads<Traits>(query, token) ? d[j] : 1.0f;
        }
      }
    }
#pragma unroll
    for (int i = 0; i < 2 * pairs; ++i) {
      float& element = o[i / 4][i / 2 % 2][2 * side + i % 2];
      element = multiply_add(element, kept[i / 2][i % 2], sum[i / 2][i % 2]);
    }
  }
}

// The output of a sub-chunk from what the state before it said: decays, and what its own tokens say.
template <class Traits, class Gate>
RK_DEVICE void finish_output(const ChunkPlace<Traits>& place, int first, ValueQuads<Traits>& v,
                             float (&o)[Traits::column_blocks][2][4],
                             const float (&odd_steps)[Traits::column_blocks][2][4]) {
  constexpr Layout layout = Traits::layout;
#pragma unroll
  for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
    for (int i = 0; i < 8; ++i) o[block][i / 4][i % 4] += odd_steps[block][i / 4][i % 4];
  }
  if constexpr (!Traits::decays_by_key && Traits::weighted) {
    const int row = first + lane_place().group;
    const float low = shared_load<float>(layout.row_decay + row * 4);
    const float high = shared_load<float>(layout.row_decay + (row + 8) * 4);
#pragma unroll
    for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        o[block][half][0] *= low;
        o[block][half][1] *= low;
        o[block][half][2] *= high;
        o[block][half][3] *= high;
      }
    }
  }
  if constexpr (Traits::decays_by_value)
    add_decaying_values<Traits>(place, first, o);
  else
    add_values<Traits>(place, first, v, o);
  store_output<Traits, Gate>(place, first, o);
}

// Values times what each token's write keeps until the sub-chunk's end.
template <class Traits> RK_DEVICE void weight_values(int first, ValueQuads<Traits>& v) {
  using Operand = typename Traits::Operand;
  if constexpr (!Traits::decays_by_key && Traits::weighted) {
#pragma unroll
    for (int step = 0; step < sub_chunk / Quad<Operand>::depth; ++step) {
#pragma unroll
      for (int block = 0; block < Traits::column_blocks; ++block) {
        scale_steps(v[block][step], [&](int token) {
          const int j = first + step * Quad<Operand>::depth + token;
          return shared_load<float>(Traits::layout.column_decay + j * 4);
        });
      }
    }
  }
}

// `advance` is false where nobody reads the state that would follow.
template <class Traits, class Gate>
RK_DEVICE void step_sub_chunk(const ChunkPlace<Traits>& place, int span, bool advance, State<Traits>& state) {
  // With one group the output is finished before the state moves on: fewer registers, and stores that start early.
  constexpr bool reads = Traits::writes_output, whole = State<Traits>::groups == 1;
  constexpr Layout layout = Traits::layout;
  const int first = span * sub_chunk;
  constexpr bool apart = Traits::decays_by_key && !layout.in_place;
  const OperandTile<Traits> query{apart ? layout.scaled_query : place.stage + layout.query};
  const OperandTile<Traits> key{apart ? layout.scaled_key : place.stage + layout.key};
  ValueQuads<Traits> v;
  load_values<Traits>(place, first, v);

  float o[Traits::column_blocks][2][4] = {}, odd_steps[Traits::column_blocks][2][4] = {};
  if constexpr (reads && whole) {
    read_group<Traits>(query, first, 0, state, o, odd_steps);
    finish_output<Traits, Gate>(place, first, v, o, odd_steps);
    if (!advance) return;
  }
  weight_values<Traits>(first, v);
  const ColumnDecays<Traits> columns(span);
  state.for_each_group([&](int first_key) {
    if constexpr (reads && !whole) read_group<Traits>(query, first, first_key, state, o, odd_steps);
    if (advance) write_group<Traits>(key, span, first_key, v, columns, state);
  });
  if constexpr (reads && !whole) {
    load_values<Traits>(place, first, v);  // without their weights
    finish_output<Traits, Gate>(place, first, v, o, odd_steps);
  }
}

}  // namespace rankone

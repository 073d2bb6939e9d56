// SPDX-License-Identifier: MIT
// One sub-chunk of the recurrence on the tensor cores: o = q S + scores v, then S = decay S + k^T v.
//
// A warp needs nothing from the others here: it holds every key of its value columns.
#pragma once

#include "kernels/scores.cuh"
#include "kernels/state.cuh"

namespace rankone {

template <class Traits>
RK_DEVICE void store_output(const Arguments& arguments, const Work& work, long long first_token, int first, int rows,
                            const float (&o)[Traits::column_blocks][2][4]) {
  using Storage = typename Traits::Storage;
  struct alignas(2 * sizeof(Storage)) Pair { Storage low, high; };
  const LanePlace lane = lane_place();
  const int first_column = work.value_column + warp_index() * Traits::columns + 2 * lane.pair;
  const bool whole = (arguments.flags & output_is_vectorized) != 0 &&
                     work.value_column + Traits::value_tile <= Traits::value_dim;
  Storage* target = static_cast<Storage*>(arguments.output.data) + work.batch * arguments.output.batch_stride +
                    (work.start + first_token + first + lane.group) * arguments.output.token_stride +
                    work.head * arguments.output.head_stride + first_column;
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    if (first + lane.group + 8 * side < rows) {
#pragma unroll
      for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int column = block * 16 + half * 8;
          const Pair pair{Element<Storage>::from(o[block][half][2 * side] * arguments.scale),
                          Element<Storage>::from(o[block][half][2 * side + 1] * arguments.scale)};
          if (whole) {
            *reinterpret_cast<Pair*>(target + column) = pair;
          } else {
            if (first_column + column < Traits::value_dim) target[column] = pair.low;
            if (first_column + column + 1 < Traits::value_dim) target[column + 1] = pair.high;
          }
        }
      }
    }
    target += 8 * arguments.output.token_stride;
  }
}

// Tensor cores cut sums short instead of rounding them, which a long sum would notice in float32: there the sum is an
// addition of its own.
template <bool split, class Fragment>
RK_DEVICE void add_product(float (&sum)[4], const Fragment& a, const Fragment& b, int half) {
  if constexpr (split) {
    float product[4] = {};
    multiply<split>(product, a, b, half);
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[i] += product[i];
  } else {
    multiply<split>(sum, a, b, half);
  }
}

// `advance` is false where nobody reads the state that would follow.
template <class Traits>
RK_DEVICE void step_sub_chunk(const ChunkPlace<Traits>& place, int span, bool advance, State<Traits>& state) {
  using Operand = typename Traits::Operand;
  using Fragment = Quad<Operand>;
  constexpr bool split = Traits::split_products;
  constexpr Layout layout = Traits::layout;
  constexpr int token_steps = sub_chunk / Fragment::depth, key_steps = 16 / Fragment::depth;
  const int first = span * sub_chunk;
  const LanePlace lane = lane_place();
  const int first_column = warp_index() * Traits::columns;
  const ValueTile<Traits> value{place.stage + layout.value};
  using OperandTile = Tile<typename Traits::Factor, Traits::key_padded>;
  const OperandTile query{Traits::per_key && !layout.in_place ? layout.scaled_query : place.stage + layout.query};
  const OperandTile key{Traits::per_key && !layout.in_place ? layout.scaled_key : place.stage + layout.key};

  Fragment v[Traits::column_blocks][token_steps];
#pragma unroll
  for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
    for (int step = 0; step < token_steps; ++step) {
      v[block][step] = load_quad_transposed<Operand>(value, first + step * Fragment::depth, first_column + block * 16);
    }
  }

  // What the state written before this sub-chunk says.
  float o[Traits::column_blocks][2][4] = {};
  if constexpr (Traits::role != Role::states) {
    float odd_steps[Traits::column_blocks][2][4] = {};  // a second chain of products
#pragma unroll
    for (int tile = 0; tile < Traits::key_padded / 16; ++tile) {
#pragma unroll
      for (int step = 0; step < key_steps; ++step) {
        const Fragment q = load_quad<Operand>(query, first, tile * 16 + step * Fragment::depth);
#pragma unroll
        for (int block = 0; block < Traits::column_blocks; ++block) {
          const auto& tiles = state.values[block];
          Fragment s;
          if constexpr (key_steps == 1) s = quad_of(tiles[2 * tile], tiles[2 * tile + 1]);
          else s = quad_of(tiles[2 * tile + step]);
          auto& chain = (tile * key_steps + step) % 2 == 0 ? o : odd_steps;
          multiply<split>(chain[block][0], q, s, 0);
          multiply<split>(chain[block][1], q, s, 1);
        }
      }
    }
#pragma unroll
    for (int block = 0; block < Traits::column_blocks; ++block) {
#pragma unroll
      for (int i = 0; i < 8; ++i) o[block][i / 4][i % 4] += odd_steps[block][i / 4][i % 4];
    }
    if constexpr (!Traits::per_key && Traits::weighted) {
      const float low = shared_load<float>(layout.row_decay + (first + lane.group) * 4);
      const float high = shared_load<float>(layout.row_decay + (first + lane.group + 8) * 4);
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
    // What this sub-chunk's own tokens say.
#pragma unroll
    for (int part = 0; part < layout.score_parts; ++part) {
#pragma unroll
      for (int step = 0; step < token_steps; ++step) {
        const Fragment p = load_quad<Operand>(score_tile<Traits>(part), first, step * Fragment::depth);
#pragma unroll
        for (int block = 0; block < Traits::column_blocks; ++block) {
          multiply<split>(o[block][0], p, v[block][step], 0);
          multiply<split>(o[block][1], p, v[block][step], 1);
        }
      }
    }
    store_output<Traits>(place.arguments, place.work, place.first_token, first, place.rows, o);
  }
  if (!advance) return;

  // The state after it.
  if constexpr (!Traits::per_key && Traits::weighted) {
#pragma unroll
    for (int step = 0; step < token_steps; ++step) {
#pragma unroll
      for (int block = 0; block < Traits::column_blocks; ++block) {
        scale_steps(v[block][step], [&](int token) {
          const int j = first + step * Fragment::depth + token;
          return shared_load<float>(layout.column_decay + j * 4);
        });
      }
    }
  }
  float span_decay = 1.0f;
  if constexpr (!Traits::per_key && Traits::weighted) span_decay = shared_load<float>(layout.span_decay + span * 16);
#pragma unroll
  for (int tile = 0; tile < Traits::key_padded / 16; ++tile) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float even = span_decay, odd = span_decay;
      if constexpr (Traits::per_key) {
        const int column = tile * 16 + half * 8 + 2 * lane.pair;
        even = shared_load<float>(layout.span_decay + (span * Traits::key_padded + column) * 4);
        odd = shared_load<float>(layout.span_decay + (span * Traits::key_padded + column + 1) * 4);
      }
      if constexpr (Traits::weighted) {
#pragma unroll
        for (int block = 0; block < Traits::column_blocks; ++block) {
          float(&s)[4] = state.values[block][2 * tile + half];
          s[0] *= even;
          s[1] *= odd;
          s[2] *= even;
          s[3] *= odd;
        }
      }
    }
#pragma unroll
    for (int step = 0; step < token_steps; ++step) {
      const Fragment k = load_quad_transposed<Operand>(key, first + step * Fragment::depth, tile * 16);
#pragma unroll
      for (int block = 0; block < Traits::column_blocks; ++block) {
        add_product<split>(state.values[block][2 * tile], v[block][step], k, 0);
        add_product<split>(state.values[block][2 * tile + 1], v[block][step], k, 1);
      }
    }
  }
}

}  // namespace rankone

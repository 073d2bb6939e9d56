// SPDX-License-Identifier: MIT
// A bonus: the product of a token's query with its own key, each column by its weight.
#pragma once

#include "hopper/gates.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

// Where they stand beside decays of value columns, which do not come between a query and its own token: in a stage, behind
// the inputs, float [part of the keys][chunk].
template <class T> RK_DEVICE int own_products(int base) { return base + T::layout.inputs[T::input_count]; }

template <class T, class Gate> struct OwnProducts {
  using Operand = typename T::Storage;
  using Tile = SwizzledTile<Operand, T::chunk>;

  // Of 16 columns as a lane holds operands: tokens `row` + group and 8 behind it. A column beyond K may have any weight.
  static RK_DEVICE void add(const StagePlace<T>& place, int row, int column, const float (&queries)[8],
                            const float (&keys)[8], float (&own)[2]) {
    const LanePlace lane = lane_place_again();
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int side = i / 2 % 2, at_column = column + i / 4 * 8 + 2 * lane.pair + i % 2;
      float weight = 1.0f;
      if constexpr (T::has_own_weights) weight = Gate::bonus(place.at(row + lane.group + 8 * side, at_column));
      const bool exists = T::key_dim % block_keys == 0 || at_column < T::key_dim;
      own[side] += exists ? queries[i] * keys[i] * weight : 0.0f;
    }
  }
  // Of 16 tokens from `row` on, whose queries and keys have gone through their expressions.
  static RK_DEVICE void add_all(const StagePlace<T>& place, int row, float (&own)[2]) {
    const int block = Tile{place.base}.block_place(row, 0);
#pragma unroll 2
    for (int column = 0; column < T::layout.key_padded; column += product_depth) {
      Quad<Operand> query, key;
      load_matrix_x4(query.r, T::layout.query + Tile::moved(block, column));
      load_matrix_x4(key.r, T::layout.key + Tile::moved(block, column));
      float queries[8], keys[8];
#pragma unroll
      for (int word = 0; word < 4; ++word) {
        Element<Operand>::unpack(query.r[word], queries[2 * word], queries[2 * word + 1]);
        Element<Operand>::unpack(key.r[word], keys[2 * word], keys[2 * word + 1]);
      }
      add(place, row, column, queries, keys, own);
    }
  }
  // The four lanes of a row have its columns together.
  static RK_DEVICE float over_quad(float part) {
    part += shuffle_xor(part, 1);
    return part + shuffle_xor(part, 2);
  }
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// v times what is left of a token at the chunk's end, in float16: the weights are float32, and write scales may be
// anything.
#pragma once

#include "hopper/range.cuh"
#include "hopper/swizzled_tile.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

template <class T> struct WeightedValues {
  using Operand = typename T::Storage;
  static constexpr int blocks = T::chunk / product_depth;
  const SwizzledTile<Operand, T::chunk>& tile;
  int column, weights;  // the warp's first value column; where the weights stand

  RK_DEVICE void load(unsigned (&v)[4], int block) const {
    load_matrix_x4_transposed(v, tile.transposed_place(product_depth * block, column));
  }
  RK_DEVICE void weigh(unsigned word, int block, int i, float& low, float& high) const {
    const Pair weight = shared_load<Pair>(weights + (product_depth * block + i / 2 * 8 + 2 * lane_place().pair) * 4);
    Element<Operand>::unpack(word, low, high);
    low *= weight.first;
    high *= weight.second;
  }
  // Left operands of 16 tokens each, over 2^unit.
  RK_DEVICE void pack(unsigned (&words)[blocks][4], int& unit) const {
    const auto pack_scaled = [&](float factor, LargestPacked& largest) {
#pragma unroll
      for (int block = 0; block < blocks; ++block) load(words[block], block);
#pragma unroll
      for (int i = 0; i < 4 * blocks; ++i) {
        unsigned& word = words[i / 4][i % 4];
        float low, high;
        weigh(word, i / 4, i % 4, low, high);
        word = Element<Operand>::pack(low * factor, high * factor);
        largest.add(word);
      }
    };
    const auto each = [&](LargestFinite& largest) {
#pragma unroll 1
      for (int block = 0; block < blocks; ++block) {
        unsigned v[4];
        load(v, block);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          float low, high;
          weigh(v[i], block, i, low, high);
          largest.add(low);
          largest.add(high);
        }
      }
    };
    pack_in_range(unit, -scale_log2_limit, scale_log2_limit, pack_scaled, each);
  }
};

}  // namespace rankone

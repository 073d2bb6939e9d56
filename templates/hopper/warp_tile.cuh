// SPDX-License-Identifier: MIT
// The value columns of one warp in a stage, on their way in and, as outputs, out.
#pragma once

#include "device/global.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/work_items.cuh"
#include "kernels/fragment.cuh"

namespace rankone {

// The 16 value columns of one warp: read as v, then rewritten as o on its way out.
template <class T> struct WarpTile {
  using Storage = typename T::Storage;
  SwizzledTile<Storage, T::chunk> tile;
  int column;

  // Tokens of an accumulator o^T from row `first` on. scale_of(token) is that of two tokens.
  template <int count, class Scale>
  RK_DEVICE void write(int first, const float (&o)[count], const Scale& scale_of) const {
    const int pair = lane_place().pair;
#pragma unroll
    for (int block = 0; block < count / 8; ++block) {
      unsigned r[4];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const Pair scale = scale_of(16 * block + 8 * half + 2 * pair);
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i)
          r[i] = Element<Storage>::pack(o[8 * block + 2 * i] * scale.first, o[8 * block + 2 * i + 1] * scale.second);
      }
      store_matrix_x4_transposed(tile.transposed_place(first + 16 * block, column), r);
    }
  }
  RK_DEVICE void send(const Arguments& arguments, const WorkItemRecord& item, long long first_token, int rows) const {
    const TensorArgument& output = port<T>(arguments, T::Ports::o);
    const int lane = opaque(lane_index()), half = lane % 2, first_row = lane / 2,
              first_column = item.value_column() + column + 8 * half;
    if (first_column >= T::value_dim) return;
    Global<Storage> target = global<Storage>(output.data) + item.batch() * output.batch_stride +
                             token_of<T>(item.start(), item.length(), first_token + first_row) * output.token_stride +
                             item.head() * output.head_stride + first_column;
    if (is_vectorized(arguments, T::Ports::o) != 0 && first_column + 8 <= T::value_dim) {
#pragma unroll
      for (int turn = 0; turn < T::chunk / 16; ++turn) {
        const int row = first_row + turn * 16;
        if (row < rows) global_store<Vector16>(target, shared_load<Vector16>(tile.at(row, column + 8 * half)));
        target += 16 * step_of<T>(output.token_stride);
      }
      return;
    }
    const int count = T::value_dim - first_column < 8 ? T::value_dim - first_column : 8,
              alignment = alignment_of(target, output.token_stride);
#pragma unroll 1
    for (int row = first_row; row < rows; row += 16) {
      store_unit<Storage>(target, tile.at(row, column + 8 * half), count, alignment);
      target += 16 * step_of<T>(output.token_stride);
    }
  }
};

}  // namespace rankone

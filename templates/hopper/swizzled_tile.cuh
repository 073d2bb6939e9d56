// SPDX-License-Identifier: MIT
// A matrix in shared memory as wgmma reads it: blocks of columns, of 128-byte rows, their 16-byte units swizzled.
#pragma once

#include "device/matrix.cuh"
#include "device/warpgroup.cuh"
#include "hopper/layout.cuh"

namespace rankone {

// `rows` is a multiple of 8, and `offset` of 1024.
template <class T, int rows> struct SwizzledTile {
  static constexpr int columns = swizzle_row_bytes / static_cast<int>(sizeof(T));  // of one block
  static constexpr int bytes = rows * swizzle_row_bytes;
  int offset;

  RK_DEVICE int unit(int row, int unit_of_row) const {
    return offset + unit_of_row / 8 * bytes + row * swizzle_row_bytes + ((unit_of_row % 8) ^ (row % 8)) * 16;
  }
  RK_DEVICE int at(int row, int column) const {
    const int byte = column * static_cast<int>(sizeof(T));
    return unit(row, byte / 16) + byte % 16;
  }
  RK_DEVICE float load(int row, int column) const { return to_float(shared_load<T>(at(row, column))); }
  RK_DEVICE void store(int row, int column, float value) const {
    shared_store<T>(at(row, column), Element<T>::from(value));
  }

  // Rows from `row` (a multiple of 8) as m or n, 16 columns from `column` as steps.
  using Rows = MatrixView<true, true, 16, swizzle_atom_bytes>;
  RK_DEVICE Rows as_rows(int row, int column) const {
    return {offset + row * swizzle_row_bytes,
            column / columns * bytes + column % columns * static_cast<int>(sizeof(T))};
  }
  // A block's columns as n, 16 rows from `row` as steps.
  using Columns = MatrixView<false, true, bytes, swizzle_atom_bytes>;
  RK_DEVICE Columns as_columns(int row, int column_block) const {
    return {offset + row * swizzle_row_bytes, column_block * bytes};
  }

  // Where a lane's row of a 16 x 16 block starts, for a warp's own products: the left operand with rows as m, and the
  // right one with rows as n (n 0..7 in r0, r2, n 8..15 in r1, r3).
  RK_DEVICE int block_place(int row, int column) const {
    const int lane = lane_index();
    return at(row + lane % 16, column + lane / 16 * 8);
  }
  // Where a lane's row of a transposed 16 x 16 block starts: columns become m, rows steps.
  RK_DEVICE int transposed_place(int row, int column) const {
    const int lane = lane_index();
    return at(row + lane % 8 + lane / 16 * 8, column + lane / 8 % 2 * 8);
  }
  // Either of them for a block of columns 0 to 15, moved to start at `column`, a multiple of 16.
  static RK_DEVICE int moved(int place, int column) {
    return (place + column / columns * bytes) ^ (column % columns * static_cast<int>(sizeof(T)));
  }
};

}  // namespace rankone

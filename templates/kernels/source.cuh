// SPDX-License-Identifier: MIT
// Where a block reads the rows of a tensor from.
#pragma once

#include "kernels/row_units.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

// One sequence and head of a tensor, from its first token and the tile's first column on: found once, read chunk by
// chunk.
template <class T> struct Source {
  static constexpr int unit_elements = 16 / static_cast<int>(sizeof(T));
  Global<const T> base;
  long long stride;  // from a token to the next one that is walked
  int width;         // elements from the first column to the end of the row
  int alignment;     // of its rows

  template <class Traits>
  static RK_DEVICE Source of(const Arguments& arguments, int index, const Work& work, int head, int column,
                             int columns) {
    const TensorArgument& from = port<Traits>(arguments, index);
    const Global<const T> base = global<const T>(from.data) + work.batch * from.batch_stride +
                                 token_of<Traits>(work.start, work.length, 0) * from.token_stride +
                                 head * from.head_stride + column;
    const int alignment = is_vectorized(arguments, index) != 0 ? 16 : alignment_of(base, from.token_stride);
    return {base, step_of<Traits>(from.token_stride), columns - column, alignment};
  }
  RK_DEVICE Global<const T> at(long long token) const { return base + token * stride; }
  // How many bytes of the 16 from a column on lie in the row.
  RK_DEVICE int bytes_from(int column) const {
    const int left = width - column;
    return (left < 0 ? 0 : left > unit_elements ? unit_elements : left) * static_cast<int>(sizeof(T));
  }
  // Likewise of rows that are not aligned to 16 bytes. The number of columns is a run-time value, so that one loop can serve
  // several tiles. A thread stays in its columns: it is a producer's time that this takes.
  template <int threads, int rows, class At>
  RK_DEVICE void copy_small_units(int thread, long long first_token, int columns, int count, const At& at) const {
    const int units = columns / unit_elements, log2_lanes = units <= 8 ? 3 : units <= 16 ? 4 : 5;  // of a row
    const int lanes = 1 << log2_lanes, first_row = thread >> log2_lanes, step = threads >> log2_lanes;
#pragma unroll 1
    for (int unit = thread & (lanes - 1); unit < units; unit += lanes) {
      const int column = unit * unit_elements, bytes = bytes_from(column);
      Global<const T> from = this->at(first_token + first_row) + (bytes > 0 ? column : 0);
#pragma unroll 1
      for (int row = first_row; row < rows; row += step) {
        copy_unit<T>(at(row, column), from, row < count ? bytes : 0, alignment);
        from += step * stride;
      }
    }
  }
  // Starts the copies of `rows` rows to at(row, column), 16 bytes each, by as many threads; zero where a row is not among
  // the first `count`.
  template <int threads, int rows, int columns, int unrolled, class At>
  RK_DEVICE void copy_units(int thread, Global<const T> from, int count, const At& at) const {
    constexpr int units = columns / unit_elements;
#pragma unroll(unrolled)
    for (int unit = thread; unit < rows * units; unit += threads) {
      const int row = unit / units, column = unit % units * unit_elements, bytes = row < count ? bytes_from(column) : 0;
      copy_async<16>(at(row, column), bytes > 0 ? from + row * stride + column : base, bytes);
    }
  }
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Where a block reads the rows of a tensor from.
#pragma once

#include "device/copy.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

template <class T> RK_DEVICE T element_or_zero(Global<const T> row, int column, bool exists) {
  return exists ? global_load<T>(row + column) : Element<T>::from(0.0f);
}

// One sequence and head of a tensor, from its first token and the tile's first column on: found once, read chunk by
// chunk.
template <class T> struct Source {
  static constexpr int unit_elements = 16 / static_cast<int>(sizeof(T));
  Global<const T> base;
  long long stride;     // from a token to the next one that is walked
  int width;            // elements from the first column to the end of the row
  unsigned vectorized;  // whether 16-byte accesses are legal

  template <class Traits>
  static RK_DEVICE Source of(const Arguments& arguments, int index, const Work& work, int head, int column,
                             int columns) {
    const TensorArgument& from = port<Traits>(arguments, index);
    return {global<const T>(from.data) + work.batch * from.batch_stride +
                token_of<Traits>(work.start, work.length, 0) * from.token_stride + head * from.head_stride + column,
            step_of<Traits>(from.token_stride), columns - column, is_vectorized(arguments, index)};
  }
  RK_DEVICE Global<const T> at(long long token) const { return base + token * stride; }
  // How many bytes of the 16 from a column on lie in the row.
  RK_DEVICE int bytes_from(int column) const {
    const int left = width - column;
    return (left < 0 ? 0 : left > unit_elements ? unit_elements : left) * static_cast<int>(sizeof(T));
  }
  // Starts the copies of `rows` rows to at(row, column), 16 bytes each, by as many threads; zero where a row is not among
  // the first `count`.
  template <int threads, int rows, int columns, int unrolled, class At>
  RK_DEVICE void copy_units(int thread, Global<const T> from, int count, const At& at) const {
    constexpr int units = columns / unit_elements;
#pragma unroll(unrolled)
    for (int unit = thread; unit < rows * units; unit += threads) {
      const int row = unit / units, column = unit % units * unit_elements, bytes = row < count ? bytes_from(column) : 0;
      copy_async_16(at(row, column), bytes > 0 ? from + row * stride + column : base, bytes);
    }
  }
};

}  // namespace rankone

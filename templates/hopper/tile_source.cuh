// SPDX-License-Identifier: MIT
// Copies of a chunk's rows into a swizzled tile, 16 bytes at a time or, where a tensor has other strides, by elements.
#pragma once

#include "device/barrier.cuh"
#include "device/copy.cuh"
#include "device/global.cuh"
#include "hopper/swizzled_tile.cuh"

namespace rankone {

// One head of a tensor, from an item's first token and first column on, and where it goes within a stage.
template <class T> struct TileSource {
  Global<const T> base;
  long long stride;  // between tokens
  int width;         // elements from the first column to the end of the row
  int tile;
  unsigned vectorized;  // whether 16-byte accesses are legal

  enum Field { base_at = 0, stride_at = 8, width_at = 16, tile_at = 20, vectorized_at = 24 };

  static RK_DEVICE TileSource read(int offset) {
    return {shared_load<Global<const T>>(offset + base_at), shared_load<long long>(offset + stride_at),
            shared_load<int>(offset + width_at), shared_load<int>(offset + tile_at),
            shared_load<unsigned>(offset + vectorized_at)};
  }
  static RK_DEVICE int tile_of(int offset) { return shared_load<int>(offset + tile_at); }
  RK_DEVICE void store(int offset) const {
    shared_store<Global<const T>>(offset + base_at, base);
    shared_store<long long>(offset + stride_at, stride);
    shared_store<int>(offset + width_at, width);
    shared_store<int>(offset + tile_at, tile);
    shared_store<unsigned>(offset + vectorized_at, vectorized);
  }
};

// Tokens `first_token` to `first_token + count - 1` into `rows` rows; whatever lies outside becomes zero.
template <int columns, class T, int rows>
RK_DEVICE void load_tile(const SwizzledTile<T, rows>& tile, const TileSource<T>& source, long long first_token,
                         int count) {
  constexpr int per_unit = 16 / static_cast<int>(sizeof(T)), units = columns / per_unit, threads = group_threads;
  const int thread = opaque(thread_index());
  const long long stride = source.stride;
  const Global<const T> base = source.base + first_token * stride;
  const auto valid = [&](int first) {
    const int left = source.width - first;
    return left < 0 ? 0 : left > per_unit ? per_unit : left;
  };
  if (source.vectorized == 0) {
#pragma unroll 1
    for (int item = thread; item < rows * columns; item += threads) {
      const int row = item / columns, column = item % columns;
      const bool inside = row < count && column < source.width;
      shared_store<T>(tile.at(row, column),
                      inside ? global_load<T>(base + (row * stride + column)) : Element<T>::from(0.0f));
    }
    fence_async();  // these are the thread's own stores, and wgmma may read them
  } else if constexpr (threads % units == 0 && threads / units % 8 == 0) {
    // A thread stays in its column and its row of the pattern.
    constexpr int step = threads / units;
    const int unit = thread % units, bytes = valid(unit * per_unit) * static_cast<int>(sizeof(T));
    Global<const T> from = base + thread / units * stride + (bytes > 0 ? unit * per_unit : 0);
    const int target = tile.unit(thread / units, unit);
    if (count == rows) {
#pragma unroll
      for (int turn = 0; turn < rows / step; ++turn) {
        copy_async_16(target + turn * step * swizzle_row_bytes, from, bytes);
        from += step * stride;
      }
    } else {
#pragma unroll 1
      for (int turn = 0; turn < rows / step; ++turn) {
        const bool exists = thread / units + turn * step < count;
        copy_async_16(target + turn * step * swizzle_row_bytes, from,
                      exists ? bytes : 0);  // of no bytes the source is not looked at
        from += step * stride;
      }
    }
  } else {
#pragma unroll 4
    for (int item = thread; item < rows * units; item += threads) {
      const int row = item / units, unit = item % units;
      const int elements = row < count ? valid(unit * per_unit) : 0;
      copy_async_16(tile.unit(row, unit), elements > 0 ? base + row * stride + unit * per_unit : source.base,
                    elements * static_cast<int>(sizeof(T)));
    }
  }
}

}  // namespace rankone

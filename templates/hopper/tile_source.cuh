// SPDX-License-Identifier: MIT
// Copies of a chunk's rows into a swizzled tile, 16 bytes at a time or, where a tensor has other strides, in smaller pieces.
#pragma once

#include "device/barrier.cuh"
#include "hopper/swizzled_tile.cuh"
#include "kernels/source.cuh"

namespace rankone {

// A source of an item, and where it goes within a stage; kept in shared memory.
template <class T> struct TileSource : Source<T> {
  int tile;

  enum Field { base_at = 0, stride_at = 8, width_at = 16, tile_at = 20, alignment_at = 24 };

  static RK_DEVICE TileSource read(int offset) {
    return {{shared_load<Global<const T>>(offset + base_at), shared_load<long long>(offset + stride_at),
             shared_load<int>(offset + width_at), shared_load<int>(offset + alignment_at)},
            shared_load<int>(offset + tile_at)};
  }
  static RK_DEVICE int tile_of(int offset) { return shared_load<int>(offset + tile_at); }
  RK_DEVICE void store(int offset) const {
    shared_store<Global<const T>>(offset + base_at, this->base);
    shared_store<long long>(offset + stride_at, this->stride);
    shared_store<int>(offset + width_at, this->width);
    shared_store<int>(offset + tile_at, tile);
    shared_store<int>(offset + alignment_at, this->alignment);
  }
};

// Tokens `first_token` to `first_token + count - 1` into `rows` rows; whatever lies outside becomes zero.
template <int columns, class T, int rows>
RK_DEVICE void load_tile(const SwizzledTile<T, rows>& tile, const TileSource<T>& source, long long first_token,
                         int count) {
  constexpr int unit_elements = Source<T>::unit_elements, units = columns / unit_elements, threads = group_threads;
  const int thread = opaque(thread_index());
  const long long stride = source.stride;
  const Global<const T> base = source.at(first_token);
  if (source.alignment != 16) {
    source.template copy_small_units<threads, rows>(thread, first_token, columns, count, [&](int row, int column) {
      return tile.unit(row, column / unit_elements);
    });
    if (moves_itself<T>(source.alignment)) fence_async();  // its own stores, which wgmma may read
  } else if constexpr (threads % units == 0 && threads / units % 8 == 0) {
    // A thread stays in its column and its row of the pattern.
    constexpr int step = threads / units;
    const int unit = thread % units, bytes = source.bytes_from(unit * unit_elements);
    Global<const T> from = base + thread / units * stride + (bytes > 0 ? unit * unit_elements : 0);
    const int target = tile.unit(thread / units, unit);
    if (count == rows) {
#pragma unroll
      for (int turn = 0; turn < rows / step; ++turn) {
        copy_async<16>(target + turn * step * swizzle_row_bytes, from, bytes);
        from += step * stride;
      }
    } else {
#pragma unroll 1
      for (int turn = 0; turn < rows / step; ++turn) {
        const bool exists = thread / units + turn * step < count;
        copy_async<16>(target + turn * step * swizzle_row_bytes, from,
                       exists ? bytes : 0);  // of no bytes the source is not looked at
        from += step * stride;
      }
    }
  } else {
    source.template copy_units<threads, rows, columns, 4>(
        thread, base, count, [&](int row, int column) { return tile.unit(row, column / unit_elements); });
  }
}

}  // namespace rankone

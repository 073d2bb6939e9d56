// SPDX-License-Identifier: MIT
// A chunk of q, k, v and per-key gate inputs on its way into shared memory.
#pragma once

#include "device/copy.cuh"
#include "device/tile.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

template <class Traits> using QueryTile = Tile<typename Traits::Storage, Traits::key_padded>;
template <class Traits> using ValueTile = Tile<typename Traits::Storage, Traits::value_tile>;

// A rectangle of one (batch row, head) of a tensor: `rows` tokens by `width` elements of the last dimension.
template <class T>
struct Source {
  const T* base;
  long long token_stride;
  int rows, width;
  bool vectorized;  // 16-byte accesses are legal

  RK_DEVICE Source(const TensorArgument& tensor, bool is_vectorized, const Work& work, long long first_token, int row_count,
                   int head, int column, int columns)
      : base(static_cast<const T*>(tensor.data) + work.batch * tensor.batch_stride +
             (work.start + first_token) * tensor.token_stride + head * tensor.head_stride + column),
        token_stride(tensor.token_stride), rows(row_count), width(columns - column), vectorized(is_vectorized) {}
};

// Copies it into a tile of `tile_rows`; whatever lies outside becomes zero.
template <int threads, int tile_rows, class T, int columns>
RK_DEVICE void load_tile(const Tile<T, columns>& tile, const Source<T>& source) {
  constexpr int per_unit = 16 / static_cast<int>(sizeof(T)), units = columns / per_unit;
  const auto valid = [&](int first) {
    const int left = source.width - first;
    return left < 0 ? 0 : left > per_unit ? per_unit : left;
  };
  if (!source.vectorized) {
#pragma unroll 1
    for (int item = thread_index(); item < tile_rows * columns; item += threads) {
      const int row = item / columns, column = item % columns;
      const bool inside = row < source.rows && column < source.width;
      shared_store<T>(tile.at(row, column), inside ? source.base[row * source.token_stride + column] : Element<T>::from(0.0f));
    }
  } else if constexpr (threads % units == 0) {
    // A thread stays in its column, and only the row advances.
    constexpr int step = threads / units;
    const int first = thread_index() % units * per_unit, bytes = valid(first) * static_cast<int>(sizeof(T));
    const T* from = source.base + thread_index() / units * source.token_stride + (bytes > 0 ? first : 0);
#pragma unroll 8
    for (int row = thread_index() / units; row < tile_rows; row += step) {
      const bool inside = row < source.rows;
      copy_async_16(tile.at(row, first), inside ? from : source.base, inside ? bytes : 0);
      from += step * source.token_stride;
    }
  } else {
#pragma unroll 1
    for (int unit = thread_index(); unit < tile_rows * units; unit += threads) {
      const int row = unit / units, first = unit % units * per_unit;
      const int count = row < source.rows ? valid(first) : 0;
      copy_async_16(tile.at(row, first), count > 0 ? source.base + row * source.token_stride + first : source.base,
                    count * static_cast<int>(sizeof(T)));
    }
  }
}

template <class Traits, int index = 0>
RK_DEVICE void load_inputs(const Arguments& arguments, const Work& work, long long first_token, int rows, int stage) {
  if constexpr (index < Traits::input_count) {
    if constexpr (Traits::input_is_per_key[index]) {
      using T = typename TypeOf<Traits::input_types[index]>::Type;
      constexpr int offset = Traits::layout.inputs[index];
      const Tile<T, Traits::key_padded> tile{stage + offset};
      const int head = Traits::input_has_key_heads[index] ? work.query_head : work.head;
      load_tile<Traits::threads, Traits::chunk>(
          tile, Source<T>(arguments.inputs[index], arguments.flags & (first_input_is_vectorized << index), work, first_token,
                          rows, head, 0, Traits::key_dim));
    }
    load_inputs<Traits, index + 1>(arguments, work, first_token, rows, stage);
  }
}

// Starts the copies of the chunk at `first_token` and closes their group.
template <class Traits>
RK_DEVICE void load_chunk(const Arguments& arguments, const Work& work, long long first_token, int stage) {
  using From = Source<typename Traits::Storage>;
  const int rows = static_cast<int>(clamp(work.length - first_token, 0, Traits::chunk));
  if constexpr (Traits::role != Role::states) {
    load_tile<Traits::threads, Traits::chunk>(QueryTile<Traits>{stage + Traits::layout.query},
                                              From(arguments.query, arguments.flags & query_is_vectorized, work, first_token,
                                                   rows, work.query_head, 0, Traits::key_dim));
  }
  if constexpr (Traits::reads_key) {
    load_tile<Traits::threads, Traits::chunk>(QueryTile<Traits>{stage + Traits::layout.key},
                                              From(arguments.key, arguments.flags & key_is_vectorized, work, first_token, rows,
                                                   work.query_head, 0, Traits::key_dim));
  }
  load_tile<Traits::threads, Traits::chunk>(ValueTile<Traits>{stage + Traits::layout.value},
                                            From(arguments.value, arguments.flags & value_is_vectorized, work, first_token,
                                                 rows, work.head, work.value_column, Traits::value_dim));
  load_inputs<Traits>(arguments, work, first_token, rows, stage);
  copy_commit();
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// A chunk of q, k, v and per-key gate inputs on its way into shared memory.
#pragma once

#include "device/copy.cuh"
#include "device/tile.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

static_assert(Tile<float, 16>::row_bytes == 16 * 4 + row_padding, "tiles and the layout pad alike");

template <class Traits> using QueryTile = Tile<typename Traits::Storage, Traits::key_padded>;
template <class Traits> using ValueTile = Tile<typename Traits::Storage, Traits::value_tile>;

// One sequence and head of a tensor, from its first token and the tile's first column on: found once, read chunk by chunk.
template <class T>
struct Source {
  const T* base;
  const TensorArgument& tensor;
  int width;  // elements from the first column to the end of the row
  unsigned vectorized;  // whether 16-byte accesses are legal

  RK_DEVICE Source(const TensorArgument& from, unsigned is_vectorized, const Work& work, int head, int column, int columns)
      : base(static_cast<const T*>(from.data) + work.batch * from.batch_stride + work.start * from.token_stride +
             head * from.head_stride + column),
        tensor(from), width(columns - column), vectorized(is_vectorized) {}
};

// Copies tokens `first_token` to `first_token + rows - 1` into a tile of `tile_rows`; whatever lies outside becomes zero.
template <int threads, int tile_rows, class T, int columns>
RK_DEVICE void load_tile(const Tile<T, columns>& tile, const Source<T>& source, long long first_token, int rows) {
  constexpr int per_unit = 16 / static_cast<int>(sizeof(T)), units = columns / per_unit;
  const auto valid = [&](int first) {
    const int left = source.width - first;
    return left < 0 ? 0 : left > per_unit ? per_unit : left;
  };
  const long long stride = source.tensor.token_stride;
  const T* const base = source.base + first_token * stride;
  if (source.vectorized == 0) {
#pragma unroll 1
    for (int item = thread_index(); item < tile_rows * columns; item += threads) {
      const int row = item / columns, column = item % columns;
      const bool inside = row < rows && column < source.width;
      shared_store<T>(tile.at(row, column), inside ? base[row * stride + column] : Element<T>::from(0.0f));
    }
  } else if constexpr (threads % units == 0) {
    // A thread stays in its column, and only the row advances.
    constexpr int step = threads / units, turns = (tile_rows + step - 1) / step;
    const int first = thread_index() % units * per_unit, bytes = valid(first) * static_cast<int>(sizeof(T));
    const T* from = base + thread_index() / units * stride + (bytes > 0 ? first : 0);
#pragma unroll 8
    for (int turn = 0; turn < turns; ++turn) {
      const int row = thread_index() / units + turn * step;
      if (tile_rows % step != 0 && row >= tile_rows) break;
      const bool inside = row < rows;
      copy_async_16(tile.at(row, first), inside ? from : source.base, inside ? bytes : 0);
      from += step * stride;
    }
  } else {
#pragma unroll 1
    for (int unit = thread_index(); unit < tile_rows * units; unit += threads) {
      const int row = unit / units, first = unit % units * per_unit;
      const int count = row < rows ? valid(first) : 0;
      copy_async_16(tile.at(row, first), count > 0 ? base + row * stride + first : source.base,
                    count * static_cast<int>(sizeof(T)));
    }
  }
}

// The per-key gate inputs, each with its own element type.
template <class Traits, int index = 0, bool more = (index < Traits::input_count)>
struct InputSources {
  RK_DEVICE InputSources(const Arguments&, const Work&) {}
  RK_DEVICE void load(long long, int, int) const {}
};
template <class Traits, int index>
struct InputSources<Traits, index, true> {
  using T = typename TypeOf<Traits::input_types[index]>::Type;
  Source<T> source;
  InputSources<Traits, index + 1> others;

  static RK_DEVICE int head_of(const Work& work) {
    constexpr bool has_key_heads = Traits::input_has_key_heads[index];
    return has_key_heads ? work.query_head : work.head;
  }
  RK_DEVICE InputSources(const Arguments& arguments, const Work& work)
      : source(arguments.inputs[index], arguments.flags & (first_input_is_vectorized << index), work, head_of(work), 0,
               Traits::key_dim),
        others(arguments, work) {}
  RK_DEVICE void load(long long first_token, int rows, int stage) const {
    if constexpr (Traits::input_is_per_key[index]) {
      constexpr int offset = Traits::layout.inputs[index];
      load_tile<Traits::threads, Traits::chunk>(Tile<T, Traits::key_padded>{stage + offset}, source, first_token, rows);
    }
    others.load(first_token, rows, stage);
  }
};

// Everything that a chunk is staged from.
template <class Traits>
struct ChunkSources {
  using Storage = typename Traits::Storage;
  Source<Storage> query, key, value;
  InputSources<Traits> inputs;
  long long length;

  RK_DEVICE ChunkSources(const Arguments& arguments, const Work& work)
      : query(arguments.query, arguments.flags & query_is_vectorized, work, work.query_head, 0, Traits::key_dim),
        key(arguments.key, arguments.flags & key_is_vectorized, work, work.query_head, 0, Traits::key_dim),
        value(arguments.value, arguments.flags & value_is_vectorized, work, work.head, work.value_column, Traits::value_dim),
        inputs(arguments, work), length(work.length) {}

  // Starts the copies of the chunk at `first_token` and closes their group.
  RK_DEVICE void load(long long first_token, int stage) const {
    const int rows = static_cast<int>(clamp(length - first_token, 0, Traits::chunk));
    if constexpr (Traits::role != Role::states) {
      load_tile<Traits::threads, Traits::chunk>(QueryTile<Traits>{stage + Traits::layout.query}, query, first_token, rows);
    }
    if constexpr (Traits::reads_key) {
      load_tile<Traits::threads, Traits::chunk>(QueryTile<Traits>{stage + Traits::layout.key}, key, first_token, rows);
    }
    load_tile<Traits::threads, Traits::chunk>(ValueTile<Traits>{stage + Traits::layout.value}, value, first_token, rows);
    inputs.load(first_token, rows, stage);
    copy_commit();
  }
};

}  // namespace rankone

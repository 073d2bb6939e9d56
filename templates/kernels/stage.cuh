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

// One of the tiles that are a key row wide: queries, keys, then the per-key gate inputs.
struct KeyTile {
  const TensorArgument* tensor;
  int offset;  // in the stage
  int head;
  bool vectorized;
};
template <class Traits, int input = 0>
RK_DEVICE KeyTile key_tile(const Arguments& arguments, const Work& work, int index) {
  if (index == 0) return {&arguments.query, Traits::layout.query, work.query_head, (arguments.flags & query_is_vectorized) != 0};
  if (index == 1) return {&arguments.key, Traits::layout.key, work.query_head, (arguments.flags & key_is_vectorized) != 0};
  if constexpr (input < Traits::input_count) {
    constexpr int offset = Traits::layout.inputs[input];
    constexpr bool has_key_heads = Traits::input_has_key_heads[input];
    if (index == 2 + input) {
      return {&arguments.inputs[input], offset, has_key_heads ? work.query_head : work.head,
              (arguments.flags & (first_input_is_vectorized << input)) != 0};
    }
    return key_tile<Traits, input + 1>(arguments, work, index);
  }
  return {};
}
template <class Traits>
RK_CONSTEXPR bool key_tile_has(int index, ElementType type) {
  if (index == 0) return Traits::role != Role::states && Traits::storage_type == type;
  if (index == 1) return Traits::reads_key && Traits::storage_type == type;
  return Traits::input_is_per_key[index - 2] && Traits::input_types[index - 2] == type;
}
template <class Traits, ElementType type>
RK_CONSTEXPR unsigned key_tiles_with() {
  unsigned set = 0;
  for (int i = 0; i < 2 + Traits::input_count; ++i) {
    if (key_tile_has<Traits>(i, type)) set |= 1u << i;
  }
  return set;
}

// All key-wide tiles of one element type, one after the other in one loop: the copy stands once in the kernel.
template <class Traits, ElementType type>
RK_DEVICE void load_key_tiles(const Arguments& arguments, const Work& work, long long first_token, int rows, int stage) {
  constexpr unsigned set = key_tiles_with<Traits, type>();
  if constexpr (set != 0) {
    using T = typename TypeOf<type>::Type;
#pragma unroll 1
    for (int index = 0; index < 2 + Traits::input_count; ++index) {
      if ((set >> index & 1u) == 0) continue;
      const KeyTile tile = key_tile<Traits>(arguments, work, index);
      load_tile<Traits::threads, Traits::chunk>(
          Tile<T, Traits::key_padded>{stage + tile.offset},
          Source<T>(*tile.tensor, tile.vectorized, work, first_token, rows, tile.head, 0, Traits::key_dim));
    }
  }
}

// Starts the copies of the chunk at `first_token` and closes their group.
template <class Traits>
RK_DEVICE void load_chunk(const Arguments& arguments, const Work& work, long long first_token, int stage) {
  const int rows = static_cast<int>(clamp(work.length - first_token, 0, Traits::chunk));
  load_key_tiles<Traits, ElementType::bf16>(arguments, work, first_token, rows, stage);
  load_key_tiles<Traits, ElementType::f16>(arguments, work, first_token, rows, stage);
  load_key_tiles<Traits, ElementType::f32>(arguments, work, first_token, rows, stage);
  load_tile<Traits::threads, Traits::chunk>(
      ValueTile<Traits>{stage + Traits::layout.value},
      Source<typename Traits::Storage>(arguments.value, (arguments.flags & value_is_vectorized) != 0, work, first_token, rows,
                                       work.head, work.value_column, Traits::value_dim));
  copy_commit();
}

}  // namespace rankone

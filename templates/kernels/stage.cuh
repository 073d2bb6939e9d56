// SPDX-License-Identifier: MIT
// A chunk of q, k, v and per-key gate inputs on its way into shared memory.
#pragma once

#include "device/copy.cuh"
#include "device/tile.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

template <class Traits> using QueryTile = Tile<typename Traits::Storage, Traits::key_padded>;
template <class Traits> using ValueTile = Tile<typename Traits::Storage, Traits::value_tile>;

// Copies `rows` rows of `width` elements (from `column` of the tensor's last dimension) into a tile of `tile_rows`;
// whatever lies outside becomes zero.
template <int threads, int tile_rows, class T, int columns>
RK_DEVICE void load_tile(const Tile<T, columns>& tile, const TensorArgument& tensor, bool vectorized, const Work& work,
                         long long first_token, int rows, int head, int column, int width) {
  constexpr int per_unit = 16 / static_cast<int>(sizeof(T)), units = columns / per_unit;
  const T* const base = static_cast<const T*>(tensor.data) + work.batch * tensor.batch_stride +
                        (work.start + first_token) * tensor.token_stride + head * tensor.head_stride + column;
  const int valid = width - column < columns ? width - column : columns;
  for (int unit = thread_index(); unit < tile_rows * units; unit += threads) {
    const int row = unit / units, first = unit % units * per_unit;
    int count = row < rows ? valid - first : 0;
    count = count < 0 ? 0 : count > per_unit ? per_unit : count;
    const T* const source = base + row * tensor.token_stride + first;
    if (vectorized) {
      copy_async_16(tile.at(row, first), count > 0 ? static_cast<const void*>(source) : tensor.data,
                    count * static_cast<int>(sizeof(T)));
    } else {
#pragma unroll 1
      for (int i = 0; i < per_unit; ++i) shared_store<T>(tile.at(row, first + i), i < count ? source[i] : Element<T>::from(0.0f));
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
      load_tile<Traits::threads, Traits::chunk>(tile, arguments.inputs[index],
                                                arguments.flags & (first_input_is_vectorized << index), work, first_token, rows,
                                                Traits::input_has_key_heads[index] ? work.query_head : work.head, 0,
                                                Traits::key_dim);
    }
    load_inputs<Traits, index + 1>(arguments, work, first_token, rows, stage);
  }
}

// Starts the copies of the chunk at `first_token` and closes their group.
template <class Traits>
RK_DEVICE void load_chunk(const Arguments& arguments, const Work& work, long long first_token, int stage) {
  const int rows = static_cast<int>(clamp(work.length - first_token, 0, Traits::chunk));
  if constexpr (Traits::role != Role::states) {
    load_tile<Traits::threads, Traits::chunk>(QueryTile<Traits>{stage + Traits::layout.query}, arguments.query,
                                              arguments.flags & query_is_vectorized, work, first_token, rows, work.query_head,
                                              0, Traits::key_dim);
  }
  if constexpr (Traits::reads_key) {
    load_tile<Traits::threads, Traits::chunk>(QueryTile<Traits>{stage + Traits::layout.key}, arguments.key,
                                              arguments.flags & key_is_vectorized, work, first_token, rows, work.query_head, 0,
                                              Traits::key_dim);
  }
  load_tile<Traits::threads, Traits::chunk>(ValueTile<Traits>{stage + Traits::layout.value}, arguments.value,
                                            arguments.flags & value_is_vectorized, work, first_token, rows, work.head,
                                            work.value_column, Traits::value_dim);
  load_inputs<Traits>(arguments, work, first_token, rows, stage);
  copy_commit();
}

}  // namespace rankone

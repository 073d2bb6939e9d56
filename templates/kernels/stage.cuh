// SPDX-License-Identifier: MIT
// A chunk of q, k, v and gate inputs of keys and value columns on its way into shared memory.
#pragma once

#include "device/tile.cuh"
#include "kernels/source.cuh"

namespace rankone {

static_assert(Tile<float, 16>::row_bytes == 16 * 4 + row_padding, "tiles and the layout pad alike");

template <class Traits> using QueryTile = Tile<typename Traits::Storage, Traits::key_padded>;
template <class Traits> using ValueTile = Tile<typename Traits::Storage, Traits::value_tile>;

// Copies tokens `first_token` to `first_token + rows - 1` into a tile of `tile_rows`, 16 bytes at once; whatever lies
// outside becomes zero.
template <int threads, int tile_rows, class T, int columns>
RK_DEVICE void copy_tile(const Tile<T, columns>& tile, const Source<T>& source, long long first_token, int rows) {
  constexpr int units = columns / Source<T>::unit_elements;
  const Global<const T> base = source.at(first_token);
  if constexpr (threads % units == 0) {
    // A thread stays in its column, and only the row advances.
    constexpr int step = threads / units, turns = (tile_rows + step - 1) / step;
    const int first = thread_index() % units * Source<T>::unit_elements, bytes = source.bytes_from(first);
    Global<const T> from = base + thread_index() / units * source.stride + (bytes > 0 ? first : 0);
#pragma unroll 8
    for (int turn = 0; turn < turns; ++turn) {
      const int row = thread_index() / units + turn * step;
      if (tile_rows % step != 0 && row >= tile_rows) break;
      const bool inside = row < rows;
      copy_async<16>(tile.at(row, first), inside ? from : source.base, inside ? bytes : 0);
      from += step * source.stride;
    }
  } else {
    source.template copy_units<threads, tile_rows, columns, 1>(
        thread_index(), base, rows, [&](int row, int column) { return tile.at(row, column); });
  }
}

// The same for rows of any alignment. The tile's place and width are run-time values, so that one loop can serve several
// tiles; a lane copies 4 bytes, for which few registers are enough.
template <int threads, int tile_rows, class T>
RK_DEVICE void copy_unaligned(int tile, int columns, const Source<T>& source, long long first_token, int rows) {
  constexpr int elements = 4 / static_cast<int>(sizeof(T));
#pragma unroll 1
  for (int row = warp_index(); row < tile_rows; row += threads / warp_size) {
    const int to = tile + row * (columns * static_cast<int>(sizeof(T)) + row_padding);
    const Global<const T> from = source.at(first_token + row);
#pragma unroll 1
    for (int column = lane_index() * elements; column < columns; column += warp_size * elements)
      copy_word<T>(to + column * static_cast<int>(sizeof(T)), from + column,
                   row < rows ? (source.width - column) * static_cast<int>(sizeof(T)) : 0, source.alignment);
  }
}

// The gate inputs of keys and value columns, each with its own element type.
template <class Traits, int index = 0, bool more = (index < Traits::input_count)> struct InputSources {
  RK_DEVICE InputSources(const Arguments&, const Work&) {}
  RK_DEVICE void load(long long, int, int) const {}
};
template <class Traits, int index> struct InputSources<Traits, index, true> {
  using T = typename TypeOf<Traits::input_types[index]>::Type;
  static constexpr int columns = staged_columns<Traits>(index);
  static constexpr bool of_values = has_axis(Traits::input_axes[index], value_axis);
  Source<T> source;
  InputSources<Traits, index + 1> others;

  static RK_DEVICE int head_of(const Work& work) {
    constexpr bool has_key_heads = has_axis(Traits::input_axes[index], query_head_axis);
    return has_key_heads ? work.query_head : work.head;
  }
  RK_DEVICE InputSources(const Arguments& arguments, const Work& work)
      : source(Source<T>::template of<Traits>(arguments, Traits::Ports::first_input + index, work, head_of(work),
                                              of_values ? work.value_column : 0,
                                              of_values ? Traits::value_dim : Traits::key_dim)),
        others(arguments, work) {}
  RK_DEVICE void load(long long first_token, int rows, int stage) const {
    if constexpr (columns > 0) {
      constexpr int offset = Traits::layout.inputs[index];
      if (source.alignment == 16)
        copy_tile<Traits::threads, Traits::chunk>(Tile<T, columns>{stage + offset}, source, first_token, rows);
      else
        copy_unaligned<Traits::threads, Traits::chunk>(stage + offset, columns, source, first_token, rows);
    }
    others.load(first_token, rows, stage);
  }
};

// Everything that a chunk is staged from.
template <class Traits> struct ChunkSources {
  using Storage = typename Traits::Storage;
  Source<Storage> query, key, value;
  InputSources<Traits> inputs;
  long long length;

  RK_DEVICE ChunkSources(const Arguments& arguments, const Work& work)
      : query(Source<Storage>::template of<Traits>(arguments, Traits::Ports::q, work, work.query_head, 0,
                                                   Traits::key_dim)),
        key(Source<Storage>::template of<Traits>(arguments, Traits::Ports::k, work, work.query_head, 0,
                                                 Traits::key_dim)),
        value(Source<Storage>::template of<Traits>(arguments, Traits::Ports::v, work, work.head, work.value_column,
                                                   Traits::value_dim)),
        inputs(arguments, work), length(work.length) {}

  // Starts the copies of the chunk at `first_token` and closes their group.
  RK_DEVICE void load(long long first_token, int stage) const {
    const int rows = static_cast<int>(clamp(length - first_token, 0, Traits::chunk));
    if constexpr (Traits::reads_query) copy(QueryTile<Traits>{stage + Traits::layout.query}, query, first_token, rows);
    if constexpr (Traits::reads_key) copy(QueryTile<Traits>{stage + Traits::layout.key}, key, first_token, rows);
    copy(ValueTile<Traits>{stage + Traits::layout.value}, value, first_token, rows);
    const bool aligned = (!Traits::reads_query || query.alignment == 16) &&
                         (!Traits::reads_key || key.alignment == 16) && value.alignment == 16;
    if (!aligned) load_unaligned(first_token, stage, rows);
    inputs.load(first_token, rows, stage);
    copy_commit();
  }

 private:
  template <class Tile>
  static RK_DEVICE void copy(const Tile& tile, const Source<Storage>& source, long long first_token, int rows) {
    if (source.alignment == 16) copy_tile<Traits::threads, Traits::chunk>(tile, source, first_token, rows);
  }
  template <class T> static RK_DEVICE T pick(int which, T of_query, T of_key, T of_value) {
    return which == 0 ? of_query : which == 1 ? of_key : of_value;
  }
  // One loop for the three tiles: rarely used, and a loop each would take long to compile.
  RK_DEVICE void load_unaligned(long long first_token, int stage, int rows) const {
    constexpr Layout layout = Traits::layout;
#pragma unroll 1
    for (int which = Traits::reads_query ? 0 : 1; which < 3; ++which) {
      if (!Traits::reads_key && which == 1) continue;
      const Source<Storage> source = pick(which, query, key, value);
      if (source.alignment == 16) continue;
      const int tile = stage + pick(which, layout.query, layout.key, layout.value);
      const int columns = pick(which, Traits::key_padded, Traits::key_padded, Traits::value_tile);
      copy_unaligned<Traits::threads, Traits::chunk>(tile, columns, source, first_token, rows);
    }
  }
};

}  // namespace rankone

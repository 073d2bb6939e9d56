// SPDX-License-Identifier: MIT
// Per-key decays: each helper warp fetches the columns that it works on, so that it waits for nobody; v is shared out.
#pragma once

#include "hopper/loader.cuh"

namespace rankone {

// A span's rows of 64 columns, by one warp.
template <class T, int rows>
RK_DEVICE void load_part(const Panels<T, rows>& tile, const Source<T>& source, long long first_token, int count, int span,
                         int panel) {
  constexpr int per_unit = 16 / static_cast<int>(sizeof(T)), units = 64 / per_unit;
  const long long stride = source.tensor.token_stride;
  const int lane = lane_index();
  if (source.vectorized == 0) {
#pragma unroll 1
    for (int item = lane; item < sub_chunk * 64; item += warp_size) {
      const int row = span * sub_chunk + item / 64, column = panel * 64 + item % 64;
      const bool inside = row < count && column < source.width;
      shared_store<T>(tile.at(row, column),
                      inside ? source.base[(first_token + row) * stride + column] : Element<T>::from(0.0f));
    }
    return;
  }
  const int unit = panel * units + lane % units, left = source.width - unit * per_unit;
  const int bytes = (left < 0 ? 0 : left > per_unit ? per_unit : left) * static_cast<int>(sizeof(T));
  const int first = span * sub_chunk + lane / units;
  const T* from = source.base + (first_token + first) * stride + (bytes > 0 ? unit * per_unit : 0);
#pragma unroll
  for (int i = 0; i < sub_chunk * units / warp_size; ++i) {
    const int row = first + i * (warp_size / units);
    const bool inside = row < count;
    copy_async_16(tile.unit(row, unit), inside ? from : source.base, inside ? bytes : 0);
    from += warp_size / units * stride;
  }
}

template <class T, int index = 0, bool more = (index < T::input_count)>
struct PartInputs {
  RK_DEVICE PartInputs(const Arguments&, const Work&) {}
  RK_DEVICE void load(long long, int, int, int, int) const {}
};
template <class T, int index>
struct PartInputs<T, index, true> {
  using Type = typename TypeOf<T::input_types[index]>::Type;
  Source<Type> source;
  PartInputs<T, index + 1> others;

  static RK_DEVICE int head_of(const Work& work) {
    constexpr bool has_key_heads = T::input_has_key_heads[index];
    return has_key_heads ? work.query_head : work.head;
  }
  RK_DEVICE PartInputs(const Arguments& arguments, const Work& work)
      : source(arguments.inputs[index], arguments.flags & (first_input_is_vectorized << index), work, head_of(work), 0,
               T::key_dim),
        others(arguments, work) {}
  RK_DEVICE void load(long long first_token, int count, int base, int span, int panel) const {
    if constexpr (T::input_is_per_key[index]) {
      constexpr int offset = T::layout.inputs[index];
      load_part(Panels<Type, T::chunk>{base + offset}, source, first_token, count, span, panel);
    }
    others.load(first_token, count, base, span, panel);
  }
};

// Starts the copies of a chunk.
template <class T>
RK_DEVICE void load_key_chunk(const Arguments& arguments, const Cursor<T>& at, int base, int warp) {
  using Storage = typename T::Storage;
  constexpr int parts = T::layout.score_parts;
  const Item& work = at.item;
  const Source<Storage> query(arguments.query, arguments.flags & query_is_vectorized, work, work.query_head, 0, T::key_dim);
  const Source<Storage> key(arguments.key, arguments.flags & key_is_vectorized, work, work.query_head, 0, T::key_dim);
  const Source<Storage> value(arguments.value, arguments.flags & value_is_vectorized, work, work.head, work.value_column,
                              T::value_dim);
  const PartInputs<T> inputs(arguments, work);
  const long long first_token = at.chunk * T::chunk;
  const int count = rows_of<T>(work, at.chunk), part = warp / T::spans, span = warp % T::spans;
  if (warp < parts * T::spans) {
#pragma unroll 1
    for (int panel = part; panel < T::panels; panel += parts) {
      inputs.load(first_token, count, base, span, panel);
      if constexpr (T::reads_key) {
        load_part(Panels<Storage, T::chunk>{base + T::layout.key}, key, first_token, count, span, panel);
      }
      if constexpr (T::role != Role::states) {
        load_part(Panels<Storage, T::chunk>{base + T::layout.query}, query, first_token, count, span, panel);
      }
    }
  }
  load_panels<T::value_tile, T::helper_threads>(Panels<Storage, T::chunk>{base + T::layout.value}, value, first_token, count,
                                                warp * warp_size + lane_index());
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The warpgroup that keeps chunks coming: q, k, v and per-key gate inputs, in 16-byte copies of any stride.
#pragma once

#include "device/barrier.cuh"
#include "device/copy.cuh"
#include "hopper/panel.cuh"
#include "hopper/walk.cuh"
#include "kernels/stage.cuh"

namespace rankone {

// Tokens `first_token` to `first_token + count - 1` into `rows` rows; whatever lies outside becomes zero.
template <int columns, int threads, class T, int rows>
RK_DEVICE void load_panels(const Panels<T, rows>& tile, const Source<T>& source, long long first_token, int count, int thread) {
  constexpr int per_unit = 16 / static_cast<int>(sizeof(T)), units = columns / per_unit;
  const long long stride = source.tensor.token_stride;
  const T* const base = source.base + first_token * stride;
  const auto valid = [&](int first) {
    const int left = source.width - first;
    return left < 0 ? 0 : left > per_unit ? per_unit : left;
  };
  if (source.vectorized == 0) {
#pragma unroll 1
    for (int item = thread; item < rows * columns; item += threads) {
      const int row = item / columns, column = item % columns;
      const bool inside = row < count && column < source.width;
      shared_store<T>(tile.at(row, column), inside ? base[row * stride + column] : Element<T>::from(0.0f));
    }
  } else if constexpr (threads % units == 0 && threads / units % 8 == 0) {
    // A thread stays in its column and its row of the pattern.
    constexpr int step = threads / units;
    const int unit = thread % units, bytes = valid(unit * per_unit) * static_cast<int>(sizeof(T));
    const T* from = base + thread / units * stride + (bytes > 0 ? unit * per_unit : 0);
    int target = tile.unit(thread / units, unit);
#pragma unroll 1  // else the compiler keeps every row's distance in registers
    for (int row = thread / units; row < rows; row += step) {
      copy_async_16(target, from, row < count ? bytes : 0);  // of no bytes the source is not looked at
      from += step * stride;
      target += step * panel_bytes;
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

template <class T, int index = 0, bool more = (index < T::input_count)>
struct PanelInputs {
  RK_DEVICE PanelInputs(const Arguments&, const Work&) {}
  RK_DEVICE void load(long long, int, int, int) const {}
};
template <class T, int index>
struct PanelInputs<T, index, true> {
  using Type = typename TypeOf<T::input_types[index]>::Type;
  Source<Type> source;
  PanelInputs<T, index + 1> others;

  static RK_DEVICE int head_of(const Work& work) {
    constexpr bool has_key_heads = T::input_has_key_heads[index];
    return has_key_heads ? work.query_head : work.head;
  }
  RK_DEVICE PanelInputs(const Arguments& arguments, const Work& work)
      : source(arguments.inputs[index], arguments.flags & (first_input_is_vectorized << index), work, head_of(work), 0,
               T::key_dim),
        others(arguments, work) {}
  RK_DEVICE void load(long long first_token, int count, int base, int thread) const {
    if constexpr (T::input_is_per_key[index]) {
      constexpr int offset = T::layout.inputs[index];
      load_panels<T::layout.key_padded, group_threads>(Panels<Type, T::chunk>{base + offset}, source, first_token, count, thread);
    }
    others.load(first_token, count, base, thread);
  }
};

template <class T>
struct Loader {
  using Storage = typename T::Storage;
  Ring<T> to, arrived;
  int under_way = 0;  // chunks issued whose arrival is not announced

  // This thread's copies up to the oldest unannounced chunk are there.
  RK_DEVICE void announce() {
    if constexpr (!T::per_key) fence_async();  // per key the helpers rewrite all that wgmma reads
    barrier_arrive(arrived.full());
    arrived.advance();
    --under_way;
  }

  RK_DEVICE void walk_item(const Arguments& arguments, const Work& work) {
    const Source<Storage> query(arguments.query, arguments.flags & query_is_vectorized, work, work.query_head, 0, T::key_dim);
    const Source<Storage> key(arguments.key, arguments.flags & key_is_vectorized, work, work.query_head, 0, T::key_dim);
    const Source<Storage> value(arguments.value, arguments.flags & value_is_vectorized, work, work.head, work.value_column,
                                T::value_dim);
    const PanelInputs<T> inputs(arguments, work);
    const int thread = thread_index();
    const int chunks = chunks_of<T>(work);
#pragma unroll 1
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const long long first_token = static_cast<long long>(chunk) * T::chunk;
      const int count = rows_of<T>(work, chunk);
      barrier_wait(to.free(), to.phase ^ 1);
      const int base = to.base();
      inputs.load(first_token, count, base, thread);
      if constexpr (T::reads_key) {
        load_panels<T::layout.key_padded, group_threads>(Panels<Storage, T::chunk>{base + T::layout.key}, key, first_token, count, thread);
      }
      if constexpr (T::role != Role::states) {
        load_panels<T::layout.key_padded, group_threads>(Panels<Storage, T::chunk>{base + T::layout.query}, query, first_token, count, thread);
      }
      load_panels<T::value_tile, group_threads>(Panels<Storage, T::chunk>{base + T::layout.value}, value, first_token, count, thread);
      copy_commit();
      to.advance();
      if (++under_way > T::lag) {
        copy_wait<T::lag>();
        announce();
      }
    }
  }

  RK_DEVICE void run(const Arguments& arguments) {
    for_each_item<T>(arguments, [&](const Item& work) { walk_item(arguments, work); });
    copy_wait<0>();
    while (under_way > 0) announce();
  }
};

}  // namespace rankone

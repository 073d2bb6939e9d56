// SPDX-License-Identifier: MIT
// The warpgroup that keeps chunks coming: q, k, v and gate inputs, by TMA where a tensor has a map, else in 16-byte
// copies of any stride.
#pragma once

#include "device/barrier.cuh"
#include "device/tensor_copy.cuh"
#include "hopper/cluster_share.cuh"
#include "hopper/prepared_chunk.cuh"
#include "hopper/tile_source.cuh"
#include "hopper/work_items.cuh"
#include "hopper/work_queue.cuh"

namespace rankone {

RK_DEVICE unsigned bits_of(bf16 value) { return value.bits; }
RK_DEVICE unsigned bits_of(f16 value) { return value.bits; }
RK_DEVICE unsigned bits_of(float value) { return as_bits(value); }
template <class T> RK_DEVICE float from_bits(unsigned bits) {
  if constexpr (sizeof(T) == 2)
    return to_float(T{static_cast<unsigned short>(bits)});
  else
    return as_float(bits);
}

template <class T> struct Producer {
  static_assert(T::Ports::q == query_tensor && T::Ports::k == key_tensor && T::Ports::v == value_tensor &&
                    T::Ports::first_input == first_input_tensor,
                "tensors that fill stages, and their maps, are counted as ports are");
  using Storage = typename T::Storage;
  static constexpr HopperLayout layout = T::layout;
  static constexpr int tensors = first_input_tensor + T::input_count;
  Pipeline<T> to;
  WorkQueue<T> queue;
  WorkItemRecord item{0}, next{0};  // one item is found ahead
  int behind = 2;                   // items to find before the next chunk; less than 0: all are done
  int place = 0;
  long long first_token = 0;
  // Inputs of one number a token, a token a thread: under way until the next chunk is issued.
  unsigned held[T::input_count > 0 ? T::input_count : 1];
  int held_base = -1, held_full = 0;
  int coming = 0;  // thread 0: bytes that the chunk's barrier is to expect

  template <class Type>
  RK_DEVICE void set_source(const WorkItem& found, int index, const Arguments& arguments, int head, int column,
                            int columns, int tile) const {
    const auto source = Source<Type>::template of<T>(arguments, index, found, head, column, columns);
    TileSource<Type>{source, tile}.store(next.source(index));
  }
  template <int index = 0> RK_DEVICE void set_input_sources(const WorkItem& found, const Arguments& arguments) const {
    if constexpr (index < T::input_count) {
      constexpr bool has_key_heads = has_axis(T::input_axes[index], query_head_axis);
      constexpr int tile = layout.inputs[index];
      set_source<typename TypeOf<T::input_types[index]>::Type>(
          found, first_input_tensor + index, arguments, has_key_heads ? found.query_head : found.head,
          has_axis(T::input_axes[index], key_axis) ? first_rank_column<T>() : 0, T::key_dim, tile);
      set_input_sources<index + 1>(found, arguments);
    }
  }
  // Inputs of value columns: of the block's.
  template <int index = 0>
  RK_DEVICE void set_value_input_sources(const WorkItem& found, const Arguments& arguments) const {
    if constexpr (index < T::input_count) {
      if constexpr (has_axis(T::input_axes[index], value_axis)) {
        constexpr bool has_key_heads = has_axis(T::input_axes[index], query_head_axis);
        constexpr int tile = layout.inputs[index];
        set_source<typename TypeOf<T::input_types[index]>::Type>(found, first_input_tensor + index, arguments,
                                                                 has_key_heads ? found.query_head : found.head,
                                                                 found.value_column, T::value_dim, tile);
      }
      set_value_input_sources<index + 1>(found, arguments);
    }
  }
  RK_DEVICE void find_next(const Arguments& arguments, int thread) {
    WorkItem found;
    item = next;
    next = {queue.next(arguments, found) ? layout.work_items + place * work_item_bytes : 0};
    if (next.offset != 0 && thread == 0) {
      next.store(found);
      const int column = first_rank_column<T>(), column_blocks = column / block_keys * T::chunk * swizzle_row_bytes;
      if constexpr (T::has_gate_group) {
        set_source<Storage>(found, query_tensor, arguments, found.query_head, column, T::key_dim,
                            layout.query + column_blocks);
        set_source<Storage>(found, key_tensor, arguments, found.query_head, column, T::key_dim,
                            layout.key + column_blocks);
      }
      if constexpr (T::has_consumers) {
        set_source<Storage>(found, value_tensor, arguments, found.head, found.value_column, T::value_dim, layout.value);
      }
      set_input_sources(found, arguments);
      if constexpr (T::decays_by_value) set_value_input_sources(found, arguments);
    }
    place = place + 1 == layout.work_item_slots ? 0 : place + 1;
    first_token = 0;
    named_barrier_sync(producer_barrier, group_threads);
  }

  template <int columns, class Type> RK_DEVICE void load(int index, int count) const {
    const TileSource<Type> source = TileSource<Type>::read(item.source(index));
    load_tile<columns>(SwizzledTile<Type, T::chunk>{to.base() + source.tile}, source, first_token, count);
  }
  // A bit for each tensor that fills tiles, and of them for each that is copied as q is: one loop serves them all.
  static RK_CONSTEXPR unsigned tile_tensors() {
    unsigned all = T::has_consumers ? bit_of(value_tensor) : 0u;
    if (T::has_gate_group)
      all |= (T::reads_query ? bit_of(query_tensor) : 0u) | (T::reads_key ? bit_of(key_tensor) : 0u);
    for (int i = 0; i < T::input_count; ++i)
      all |= has_axis(T::input_axes[i], key_axis) ? bit_of(first_input_tensor + i) : 0u;
    return all;
  }
  static RK_CONSTEXPR unsigned value_inputs() {
    unsigned all = 0;
    for (int i = 0; i < T::input_count; ++i)
      all |= has_axis(T::input_axes[i], value_axis) ? bit_of(first_input_tensor + i) : 0u;
    return all;
  }
  static RK_CONSTEXPR unsigned copied_like_query() {
    unsigned alike = tile_tensors() & (T::value_tile == layout.rank_columns ? ~0u : ~bit_of(value_tensor));
    for (int i = 0; i < T::input_count; ++i)
      alike &= bytes_of(T::input_types[i]) == 2 ? ~0u : ~bit_of(first_input_tensor + i);
    if constexpr (T::decays_by_value) alike &= ~value_inputs();
    return alike;
  }
  // Those of a chunk that come by TMA. A box has the tokens of a whole chunk: what lies beyond the end of a tensor
  // becomes zero, but beyond that of a packed sequence lies the next one.
  static RK_DEVICE unsigned by_tma(const Arguments& arguments, int count) {
    if constexpr (!T::uses_tma || T::walk != Walk::ascending) return 0u;
    const bool whole = count == T::chunk || !is_packed<T>(arguments);
    return whole ? arguments.mapped & tile_tensors() : 0u;
  }
  // While the first item is found.
  RK_DEVICE void prefetch_tensor_maps(const Arguments& arguments) const {
    if constexpr (T::uses_tma) {
      const int thread = thread_index();
      const unsigned maps = arguments.mapped & tile_tensors();
      if (thread < tensors && (maps >> thread & 1u) != 0) tma_prefetch(tensor_map<T>(arguments, thread));
    }
  }
  // By one thread, which comes after a fence_async; adds to `bytes` those that will come.
  template <int index = tensors - 1>  // gates first: they are needed first
  RK_DEVICE void load_by_tma(const Arguments& arguments, unsigned chosen, int token, int batch, int& bytes) const {
    if constexpr (index >= 0) {
      if constexpr ((tile_tensors() & bit_of(index)) != 0) {
        constexpr bool is_input = index >= first_input_tensor, is_value = index == value_tensor;
        constexpr int input = is_input ? index - first_input_tensor : 0,
                      element = is_input ? bytes_of(T::input_types[input]) : static_cast<int>(sizeof(Storage));
        constexpr bool of_key_heads = is_input ? has_axis(T::input_axes[input], query_head_axis) : !is_value;
        constexpr int step = swizzle_row_bytes / element, column_block = T::chunk * swizzle_row_bytes,
                      column_blocks = (is_value ? T::value_tile : layout.rank_columns) / step;
        if ((chosen & bit_of(index)) != 0) {
          const int head = of_key_heads ? item.query_head() : item.head();
          const int column = is_value ? item.value_column() : first_rank_column<T>();
          const int target = to.base() + TileSource<Storage>::tile_of(item.source(index));
#pragma unroll
          for (int i = 0; i < column_blocks; ++i)
            tma_load(target + i * column_block, tensor_map<T>(arguments, index), column + i * step, token, head, batch,
                     to.full());
          bytes += column_blocks * column_block;
        }
      }
      load_by_tma<index - 1>(arguments, chosen, token, batch, bytes);
    }
  }
  template <int index = 0> RK_DEVICE void load_inputs(int count, unsigned done, int thread) {
    if constexpr (index < T::input_count) {
      using Type = typename TypeOf<T::input_types[index]>::Type;
      if constexpr (!has_axis(T::input_axes[index], key_axis)) {
        const TileSource<Type> source = TileSource<Type>::read(item.source(first_input_tensor + index));
        held[index] =
            thread < count ? bits_of(global_load<Type>(source.base + (first_token + thread) * source.stride)) : 0u;
        held_base = to.base();
      } else if constexpr (sizeof(Type) != 2) {
        constexpr int tensor = first_input_tensor + index;
        if ((done & bit_of(tensor)) == 0) load<layout.rank_columns, Type>(tensor, count);
      }
      load_inputs<index + 1>(count, done, thread);
    }
  }
  // Where value columns decay, and no tensor has a map.
  template <int index = 0> RK_DEVICE void load_inputs_of_both_sides(int count, int thread) {
    if constexpr (index < T::input_count) {
      using Type = typename TypeOf<T::input_types[index]>::Type;
      constexpr int tensor = first_input_tensor + index;
      if constexpr (has_axis(T::input_axes[index], value_axis)) {
        load<T::value_tile, Type>(tensor, count);
      } else if constexpr (has_axis(T::input_axes[index], key_axis)) {
        if constexpr (sizeof(Type) != 2) load<layout.rank_columns, Type>(tensor, count);
      } else {
        const TileSource<Type> source = TileSource<Type>::read(item.source(tensor));
        held[index] =
            thread < count ? bits_of(global_load<Type>(source.base + (first_token + thread) * source.stride)) : 0u;
        held_base = to.base();
      }
      load_inputs_of_both_sides<index + 1>(count, thread);
    }
  }
  template <int index = 0> RK_DEVICE void store_held_inputs_of_both_sides(int thread) const {
    if constexpr (index < T::input_count) {
      if constexpr (!has_axis(T::input_axes[index], key_axis) && !has_axis(T::input_axes[index], value_axis)) {
        using Type = typename TypeOf<T::input_types[index]>::Type;
        constexpr int offset = layout.inputs[index];
        if (held_base >= 0 && thread < T::chunk)
          shared_store<float>(held_base + offset + thread * 4, from_bits<Type>(held[index]));
      }
      store_held_inputs_of_both_sides<index + 1>(thread);
    }
  }
  template <int index = 0> RK_DEVICE void store_held_inputs(int thread) {
    if constexpr (index < T::input_count) {
      if constexpr (!has_axis(T::input_axes[index], key_axis)) {
        using Type = typename TypeOf<T::input_types[index]>::Type;
        constexpr int offset = layout.inputs[index];
        if (held_base >= 0 && thread < T::chunk)
          shared_store<float>(held_base + offset + thread * 4, from_bits<Type>(held[index]));
      }
      store_held_inputs<index + 1>(thread);
    } else {
      if (held_base >= 0) arrive(thread);
      held_base = -1;
    }
  }
  // With what this thread did itself for the latest chunk.
  RK_DEVICE void arrive(int thread) const {
    if constexpr (T::uses_tma || !T::has_gate_group) {
      if (thread == 0) return mbarrier_arrive_expecting(held_full, coming);
    }
    mbarrier_arrive(held_full);
  }

  RK_DEVICE void load_chunk(const Arguments& arguments, int count, int thread) {
    const unsigned done = by_tma(arguments, count);
    if constexpr (T::uses_tma) {
      if (thread == 0 && done != 0) {
        fence_async();  // the stage comes back as others read and wrote it, through their proxy
        load_by_tma(arguments, done, static_cast<int>(item.start() + first_token), static_cast<int>(item.batch()),
                    coming);
      }
    }
    if constexpr (T::decays_by_value)
      load_inputs_of_both_sides(count, thread);
    else
      load_inputs(count, done, thread);
    if constexpr (!T::has_gate_group) {
      if (count > 0) load_prepared<T>(arguments, item, first_token, count, to, thread);
    }
    const unsigned rest = copied_like_query() & ~done;
#pragma unroll 1
    for (int index = tensors - 1; index >= 0 && rest != 0; --index) {
      if ((rest & bit_of(index)) != 0) load<layout.rank_columns, Storage>(index, count);
    }
    if constexpr (T::has_consumers && T::value_tile != layout.rank_columns) {
      if ((done & bit_of(value_tensor)) == 0) load<T::value_tile, Storage>(value_tensor, count);
    }
  }

  // Issues the copies of the next chunk; of an empty item a chunk without tokens, and after the last one a descriptor that
  // says so.
  RK_DEVICE void issue(const Arguments& arguments) {
    const int thread = thread_index();
    if constexpr (T::decays_by_value) {
      store_held_inputs_of_both_sides(thread);
      if (held_base >= 0) arrive(thread);
      held_base = -1;
    } else {
      store_held_inputs(thread);
    }
#pragma unroll 1
    for (; behind > 0; --behind) find_next(arguments, thread);
    if (behind == 0) {
      mbarrier_wait(to.empty(), to.phase ^ 1);
      const bool more = item.offset != 0;
      const long long left = more ? item.length() - first_token : 0;
      const int count = left < T::chunk ? static_cast<int>(left) : T::chunk;
      if (thread == 0) StageDescriptor{first_token, count, left <= T::chunk, item}.store(to.descriptor());
      coming = 0;
      if (more) load_chunk(arguments, count, thread);
      mbarrier_arrive_after_copies(to.full());
      held_full = to.full();
      if constexpr (!T::has_gate_group) coming += prepared_bytes_of<T>(count);
      if (held_base < 0) arrive(thread);
      to.advance();
      first_token += T::chunk;
      behind = !more ? -1 : left <= T::chunk ? 1 : 0;
    }
  }
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The warpgroup that keeps chunks coming: q, k, v and gate inputs, by TMA where a tensor has a map, else in 16-byte
// copies of any stride.
#pragma once

#include "device/barrier.cuh"
#include "device/copy.cuh"
#include "device/global.cuh"
#include "device/tensor_copy.cuh"
#include "hopper/cluster_share.cuh"
#include "hopper/prepared_chunk.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/work_items.cuh"

namespace rankone {

// One head of a tensor, from an item's first token and first column on, and where it goes within a stage.
template <class T> struct TileSource {
  Global<const T> base;
  long long stride;  // between tokens
  int width;         // elements from the first column to the end of the row
  int tile;
  unsigned vectorized;  // whether 16-byte accesses are legal

  static RK_DEVICE TileSource read(int offset) {
    return {shared_load<Global<const T>>(offset), shared_load<long long>(offset + 8), shared_load<int>(offset + 16),
            shared_load<int>(offset + 20), shared_load<unsigned>(offset + 24)};
  }
  static RK_DEVICE int tile_at(int offset) { return shared_load<int>(offset + 20); }
  RK_DEVICE void store(int offset) const {
    shared_store<Global<const T>>(offset, base);
    shared_store<long long>(offset + 8, stride);
    shared_store<int>(offset + 16, width);
    shared_store<int>(offset + 20, tile);
    shared_store<unsigned>(offset + 24, vectorized);
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

// The packed sequence of this rank, longest first, so that none of the long ones is the last to start: of up to 128,
// one for each thread of the producer, all of which ask; more keep their own order. find_next() has a barrier before the
// next asking.
template <class T> RK_DEVICE long long longest_first(const Arguments& arguments, long long rank) {
  if (arguments.cu_seqlens == nullptr || arguments.sequences > group_threads) return rank;
  constexpr long long longest = 0x7fffffff;
  const int thread = thread_index();
  const bool exists = thread < arguments.sequences;
  const long long tokens = exists ? sequence_offset(arguments, thread + 1) - sequence_offset(arguments, thread) : -1;
  const int tokens_here = static_cast<int>(exists ? clamp(tokens, 0, longest) : -1);
  shared_store<int>(T::layout.lengths + thread * 4, tokens_here);
  named_barrier_sync(producer_barrier, group_threads);
  int before = 0;
#pragma unroll 1
  for (int other = 0; other < arguments.sequences; other += 4) {
    const Vector16 four = shared_load<Vector16>(T::layout.lengths + other * 4);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int theirs = static_cast<int>(four.word[i]);
      if (theirs > tokens_here || (theirs == tokens_here && other + i < thread)) ++before;
    }
  }
  if (exists && before == rank) shared_store<int>(T::layout.chosen, thread);
  named_barrier_sync(producer_barrier, group_threads);
  return shared_load<int>(T::layout.chosen);
}

// As place_columns(), in 32 bits, as the GPU counts its blocks: a twentieth less to compile. The portable
// family keeps its own: in 32 bits one of its kernels spills.
template <class Traits>
RK_DEVICE long long place_item_columns(const Arguments& arguments, long long block, Work& work) {
  const unsigned index = static_cast<unsigned>(block), row = index / Traits::value_tiles;
  const unsigned value_heads = static_cast<unsigned>(arguments.value_heads), place = row / value_heads;
  work.value_tile = static_cast<int>(index - row * Traits::value_tiles);
  work.value_column = work.value_tile * Traits::value_tile;
  work.head = static_cast<int>(row - place * value_heads);
  work.query_head = work.head / (arguments.value_heads / arguments.heads);
  return place;
}

// False for a slot that nobody has.
template <class T> RK_DEVICE bool find_item(const Arguments& arguments, long long index, WorkItem& item) {
  item.slot = place_item_columns<T>(arguments, index, item);
  item.ends = true;
  if (!is_split<T>(arguments)) {
    place_sequence(arguments, longest_first<T>(arguments, item.slot), T::chunk, item);
    if constexpr (T::prepared) item.slot = item.first_slot;
    return true;
  }
  const long long tokens = segment_length<T>(arguments), segment = place_chunk(arguments, item.slot, tokens, item);
  Work whole;
  place_sequence(arguments, item.sequence, T::prepared ? T::chunk : tokens, whole);
  const long long segments = segments_of(whole.length, tokens);
  item.ends = segment == segments - 1;
  if constexpr (T::prepared) item.slot = whole.first_slot + segment * prepare_chunks;
  return segment >= 0 && segment < segments;
}

// A block's items in turn; nobody starts from what the last segment of a sequence adds, but in the state-only pass.
template <class T> struct WorkQueue {
  long long index = block_index();

  // False after the last one.
  RK_DEVICE bool next(const Arguments& arguments, WorkItem& item) {
    const long long items = slots_of<T>(arguments) * arguments.value_heads * T::value_tiles;
#pragma unroll 1
    while (index < items) {
      const bool found = find_item<T>(arguments, index, item) && !(T::keeps_states && !T::state_only && item.ends);
      index += block_total();
      if (found) return true;
    }
    return false;
  }
};

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
  using Storage = typename T::Storage;
  static constexpr HopperLayout layout = T::layout;
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
  RK_DEVICE void set_source(const WorkItem& found, int index, const TensorArgument& tensor, unsigned vectorized,
                            int head, int column, int columns, int tile) const {
    TileSource<Type>{global<const Type>(tensor.data) + found.batch * tensor.batch_stride +
                         found.start * tensor.token_stride + head * tensor.head_stride + column,
                     tensor.token_stride, columns - column, tile, vectorized}
        .store(next.source(index));
  }
  template <int index = 0> RK_DEVICE void set_input_sources(const WorkItem& found, const Arguments& arguments) const {
    if constexpr (index < T::input_count) {
      constexpr bool has_key_heads = T::input_has_key_heads[index];
      constexpr int tile = layout.inputs[index];
      set_source<typename TypeOf<T::input_types[index]>::Type>(
          found, 3 + index, arguments.inputs[index], arguments.flags & (first_input_is_vectorized << index),
          has_key_heads ? found.query_head : found.head, T::input_is_per_key[index] ? first_rank_column<T>() : 0,
          T::key_dim, tile);
      set_input_sources<index + 1>(found, arguments);
    }
  }
  RK_DEVICE void find_next(const Arguments& arguments, int thread) {
    WorkItem found;
    item = next;
    next = {queue.next(arguments, found) ? layout.work_items + place * work_item_bytes : 0};
    if (next.offset != 0 && thread == 0) {
      next.store(found);
      const unsigned flags = arguments.flags;
      const int column = first_rank_column<T>(), column_blocks = column / 64 * T::chunk * swizzle_row_bytes;
      if constexpr (T::has_gate_group) {
        set_source<Storage>(found, 0, arguments.query, flags & query_is_vectorized, found.query_head, column,
                            T::key_dim, layout.query + column_blocks);
        set_source<Storage>(found, 1, arguments.key, flags & key_is_vectorized, found.query_head, column, T::key_dim,
                            layout.key + column_blocks);
      }
      if constexpr (T::has_consumers) {
        set_source<Storage>(found, 2, arguments.value, flags & value_is_vectorized, found.head, found.value_column,
                            T::value_dim, layout.value);
      }
      set_input_sources(found, arguments);
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
    unsigned all = T::has_consumers ? 4u : 0u;
    if (T::has_gate_group) all |= (T::reads_query ? 1u : 0u) | (T::reads_key ? 2u : 0u);
    for (int i = 0; i < T::input_count; ++i) all |= T::input_is_per_key[i] ? 8u << i : 0u;
    return all;
  }
  static RK_CONSTEXPR unsigned copied_like_query() {
    unsigned alike = tile_tensors() & (T::value_tile == layout.rank_columns ? ~0u : ~4u);
    for (int i = 0; i < T::input_count; ++i) alike &= bytes_of(T::input_types[i]) == 2 ? ~0u : ~(8u << i);
    return alike;
  }
  // Those of a chunk that come by TMA. A box has the tokens of a whole chunk: what lies beyond the end of a tensor
  // becomes zero, but beyond that of a packed sequence lies the next one.
  static RK_DEVICE unsigned by_tma(const Arguments& arguments, int count) {
    if constexpr (!T::uses_tma) return 0u;
    const bool whole = count == T::chunk || arguments.cu_seqlens == nullptr;
    return whole ? arguments.flags / first_tensor_is_mapped & tile_tensors() : 0u;
  }
  // While the first item is found.
  RK_DEVICE void prefetch_tensor_maps(const Arguments& arguments) const {
    if constexpr (!T::uses_tma) return;
    const int thread = thread_index();
    const unsigned maps = arguments.flags / first_tensor_is_mapped & tile_tensors();
    if (thread < 3 + T::input_count && (maps >> thread & 1u) != 0) tma_prefetch(arguments.maps[thread]);
  }
  // By one thread, which comes after a fence_async; adds to `bytes` those that will come.
  template <int index = 3 + T::input_count - 1>  // gates first: they are needed first
  RK_DEVICE void load_by_tma(const Arguments& arguments, unsigned tensors, int token, int batch, int& bytes) const {
    if constexpr (index >= 0) {
      if constexpr ((tile_tensors() >> index & 1u) != 0) {
        constexpr int input = index < 3 ? 0 : index - 3, element = index < 3 ? 2 : bytes_of(T::input_types[input]);
        constexpr bool is_value = index == 2, of_key_heads = index < 2 || (!is_value && T::input_has_key_heads[input]);
        constexpr int step = swizzle_row_bytes / element, column_block = T::chunk * swizzle_row_bytes,
                      column_blocks = (is_value ? T::value_tile : layout.rank_columns) / step;
        if ((tensors >> index & 1u) != 0) {
          const int head = of_key_heads ? item.query_head() : item.head();
          const int column = is_value ? item.value_column() : first_rank_column<T>();
          const int target = to.base() + TileSource<Storage>::tile_at(item.source(index));
#pragma unroll
          for (int i = 0; i < column_blocks; ++i)
            tma_load(target + i * column_block, arguments.maps[index], column + i * step, token, head, batch,
                     to.full());
          bytes += column_blocks * column_block;
        }
      }
      load_by_tma<index - 1>(arguments, tensors, token, batch, bytes);
    }
  }
  template <int index = 0> RK_DEVICE void load_inputs(int count, unsigned done, int thread) {
    if constexpr (index < T::input_count) {
      using Type = typename TypeOf<T::input_types[index]>::Type;
      if constexpr (!T::input_is_per_key[index]) {
        const TileSource<Type> source = TileSource<Type>::read(item.source(3 + index));
        held[index] =
            thread < count ? bits_of(global_load<Type>(source.base + (first_token + thread) * source.stride)) : 0u;
        held_base = to.base();
      } else if constexpr (sizeof(Type) != 2) {
        if ((done >> (3 + index) & 1u) == 0) load<layout.rank_columns, Type>(3 + index, count);
      }
      load_inputs<index + 1>(count, done, thread);
    }
  }
  template <int index = 0> RK_DEVICE void store_held_inputs(int thread) {
    if constexpr (index < T::input_count) {
      if constexpr (!T::input_is_per_key[index]) {
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

  // Issues the copies of the next chunk, of an empty item a chunk without tokens, and after the last a descriptor that there
  // is no more.
  RK_DEVICE void issue(const Arguments& arguments) {
    const int thread = thread_index();
    store_held_inputs(thread);
#pragma unroll 1
    for (; behind > 0; --behind) find_next(arguments, thread);
    if (behind == 0) {
      mbarrier_wait(to.empty(), to.phase ^ 1);
      const bool more = item.offset != 0;
      const long long left = more ? item.length() - first_token : 0;
      const int count = left < T::chunk ? static_cast<int>(left) : T::chunk;
      if (thread == 0) StageDescriptor{first_token, count, left <= T::chunk, item}.store(to.descriptor());
      coming = 0;
      if (more) {
        const unsigned done = by_tma(arguments, count);
        if constexpr (T::uses_tma) {
          if (thread == 0 && done != 0) {
            fence_async();  // the stage comes back as others read and wrote it, through their proxy
            load_by_tma(arguments, done, static_cast<int>(item.start() + first_token), static_cast<int>(item.batch()),
                        coming);
          }
        }
        load_inputs(count, done, thread);
        if constexpr (!T::has_gate_group) {
          if (count > 0) load_prepared<T>(arguments, item, first_token, count, to, thread);
        }
        const unsigned rest = copied_like_query() & ~done;
#pragma unroll 1
        for (int index = 3 + T::input_count - 1; index >= 0 && rest != 0; --index) {
          if ((rest >> index & 1u) != 0) load<layout.rank_columns, Storage>(index, count);
        }
        if constexpr (T::has_consumers && T::value_tile != layout.rank_columns) {
          if ((done & 4u) == 0) load<T::value_tile, Storage>(2, count);
        }
      }
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

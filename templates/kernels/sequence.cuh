// SPDX-License-Identifier: MIT
// Which value columns, head, sequence and tokens a block works on, with equal or packed lengths.
#pragma once

#include "device/global.cuh"
#include "kernels/policy.cuh"

namespace rankone {

struct Work {
  int value_column;  // first column of the block's tile
  int value_tile;
  int head, query_head;  // of HV, of H
  long long sequence;    // of N
  long long batch;       // row of the tensors
  long long start;       // first token, in the row
  long long length;      // tokens
  long long first_slot;  // of the workspace: the slot of the chunk that starts at `start`
  long long position;    // of the token at `start`, as formulas count it
};

// The walk of a policy, decided here: the token, in the row of the tensors, that comes `index`-th of those from `start`
// on, and how far the next one is.
template <class T> RK_DEVICE long long token_of(long long start, long long length, long long index) {
  return T::walk == Walk::ascending ? start + index : start + length - 1 - index;
}
template <class T> RK_DEVICE long long step_of(long long token_stride) {
  return T::walk == Walk::ascending ? token_stride : -token_stride;
}

// Where a value head's numbers start, `width` of them, in what has so many for each head of each sequence, slot or token.
RK_DEVICE long long row_of_head(const Arguments& arguments, const Work& work, long long index, int width) {
  return (index * arguments.value_heads + work.head) * width;
}

RK_DEVICE long long clamp(long long value, long long low, long long high) {
  return value < low ? low : value > high ? high : value;
}

template <class T> RK_DEVICE bool is_packed(const Arguments& arguments) {
  return port<T>(arguments, T::Ports::cu_seqlens).data != nullptr;
}

// Offsets come from the caller's device memory: whatever they hold, no token outside [0, T) is touched.
template <class T> RK_DEVICE long long sequence_offset(const Arguments& arguments, long long index) {
  const void* const offsets = port<T>(arguments, T::Ports::cu_seqlens).data;
  const long long offset = (arguments.wide >> T::Ports::cu_seqlens & 1u) != 0
                               ? global_load<long long>(global<const long long>(offsets) + index)
                               : global_load<int>(global<const int>(offsets) + index);
  return clamp(offset, 0, arguments.tokens);
}

// Packed sequence n starts at slot floor(start / chunk) + n: never fewer slots than chunks, known without a scan, and
// in all at most ceil(T / chunk) + N.
template <class T> RK_DEVICE long long packed_slot(const Arguments& arguments, long long index, long long chunk) {
  return sequence_offset<T>(arguments, index) / chunk + index;
}

// What the first token of a sequence has for its position: not 0 where a call goes on from an earlier one's state.
template <class T> RK_DEVICE long long start_position(const Arguments& arguments, long long index) {
  if constexpr (T::reads_position) {
    const void* const starts = port<T>(arguments, T::Ports::start_positions).data;
    if (starts != nullptr) return global_load<long long>(global<const long long>(starts) + index);
  }
  return 0;
}

// Tk of a non-causal variant: its launches have no segments, whose tokens would stand there.
RK_DEVICE long long key_tokens(const Arguments& arguments) { return arguments.segment_tokens; }

// Offsets of keys, as sequence_offset() has those of queries.
template <class T> RK_DEVICE long long key_offset(const Arguments& arguments, long long index) {
  constexpr int place = T::Ports::cu_seqlens_k;
  const void* const offsets = port<T>(arguments, place).data;
  const long long offset = (arguments.wide >> place & 1u) != 0
                               ? global_load<long long>(global<const long long>(offsets) + index)
                               : global_load<int>(global<const int>(offsets) + index);
  return clamp(offset, 0, key_tokens(arguments));
}

// The keys of the sequence whose queries `work` has.
template <class T> RK_DEVICE Work keys_of(const Arguments& arguments, Work work) {
  work.start = 0;
  work.length = key_tokens(arguments);
  if (is_packed<T>(arguments)) {
    work.start = key_offset<T>(arguments, work.sequence);
    const long long end = key_offset<T>(arguments, work.sequence + 1);
    work.length = end > work.start ? end - work.start : 0;
  }
  return work;
}

// The sequence as a whole, for the roles that walk it; slots are those of its chunks.
template <class T>
RK_DEVICE void place_sequence(const Arguments& arguments, long long index, long long chunk, Work& work) {
  work.sequence = index;
  work.position = start_position<T>(arguments, index);
  if (is_packed<T>(arguments)) {
    work.batch = 0;
    work.start = sequence_offset<T>(arguments, index);
    const long long end = sequence_offset<T>(arguments, index + 1);
    work.length = end > work.start ? end - work.start : 0;
    work.first_slot = packed_slot<T>(arguments, index, chunk);
  } else {
    work.batch = index;
    work.start = 0;
    work.length = arguments.tokens;
    work.first_slot = index * ((arguments.tokens + chunk - 1) / chunk);
  }
}

// One chunk, the first to be walked being number 0, for the roles that run them in parallel; a slot that holds none gets
// length 0. Returns its index in its sequence, less than 0 before the first one.
template <class T>
RK_DEVICE long long place_chunk(const Arguments& arguments, long long slot, long long chunk_tokens, Work& work) {
  long long sequence, chunk;
  if (is_packed<T>(arguments)) {
    long long low = 0, high = arguments.sequences;  // the last sequence that starts at or before `slot`
    while (high - low > 1) {
      const long long middle = (low + high) / 2;
      if (packed_slot<T>(arguments, middle, chunk_tokens) <= slot)
        low = middle;
      else
        high = middle;
    }
    sequence = low;
    chunk = slot - packed_slot<T>(arguments, sequence, chunk_tokens);
  } else {
    const long long chunks = (arguments.tokens + chunk_tokens - 1) / chunk_tokens;
    sequence = slot / chunks;
    chunk = slot % chunks;
  }
  place_sequence<T>(arguments, sequence, chunk_tokens, work);
  const long long before = (chunk < 0 ? work.length : chunk * chunk_tokens);  // tokens before the first are nobody's
  work.first_slot = slot;
  const long long length = clamp(work.length - before, 0, chunk_tokens);
  const long long skipped = T::walk == Walk::ascending ? before : work.length - before - length;
  work.position += skipped;
  work.start += skipped;
  work.length = length;
  return chunk;
}

// The head and the value columns of a block; what is left of its number says which tokens. Blocks with the same head
// and tokens stand side by side, so that the second finds queries and keys in L2. `Index`: the type that is divided.
template <class Traits, class Index>
RK_DEVICE long long place_columns(const Arguments& arguments, Index block, Work& work) {
  const Index row = block / Traits::value_tiles, value_heads = static_cast<Index>(arguments.value_heads),
              place = row / value_heads;
  work.value_tile = static_cast<int>(block - row * Traits::value_tiles);
  work.value_column = work.value_tile * Traits::value_tile;
  work.head = static_cast<int>(row - place * value_heads);
  work.query_head = work.head / (arguments.value_heads / arguments.heads);
  return place;
}

template <class Traits> RK_DEVICE Work find_work(const Arguments& arguments, long long block) {
  Work work;
  const long long place = place_columns<Traits, long long>(arguments, block, work);
  if constexpr (Traits::works_on_one_chunk) {
    place_chunk<Traits>(arguments, place, Traits::chunk, work);
  } else {
    place_sequence<Traits>(arguments, place, Traits::chunk, work);
    if constexpr (Traits::non_causal) work = keys_of<Traits>(arguments, work);
  }
  return work;
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The work items of a block, in turn: found by the producer, longest sequences first.
#pragma once

#include "device/barrier.cuh"
#include "device/shared.cuh"
#include "hopper/segments.cuh"

namespace rankone {

// The packed sequence of this rank, longest first, so that none of the long ones is the last to start: of up to 128,
// one for each thread of the producer, all of which ask; more keep their own order. find_next() has a barrier before the
// next asking.
template <class T> RK_DEVICE long long longest_first(const Arguments& arguments, long long rank) {
  if (!is_packed<T>(arguments) || arguments.sequences > group_threads) return rank;
  constexpr long long longest = 0x7fffffff;
  const int thread = thread_index();
  const bool exists = thread < arguments.sequences;
  const long long tokens =
      exists ? sequence_offset<T>(arguments, thread + 1) - sequence_offset<T>(arguments, thread) : -1;
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

// False for a slot that nobody has.
template <class T> RK_DEVICE bool find_item(const Arguments& arguments, long long index, WorkItem& item) {
  // In 32 bits, as the GPU counts its blocks: a twentieth less to compile. In the portable family a kernel would spill.
  item.slot = place_columns<T>(arguments, static_cast<unsigned>(index), item);
  item.ends = true;
  if (!is_split<T>(arguments)) {
    place_sequence<T>(arguments, longest_first<T>(arguments, item.slot), T::chunk, item);
    if constexpr (T::has_chunk_slots) item.slot = item.first_slot;
    return true;
  }
  const long long tokens = segment_length<T>(arguments), segment = place_chunk<T>(arguments, item.slot, tokens, item);
  Work whole;
  place_sequence<T>(arguments, item.sequence, T::has_chunk_slots ? T::chunk : tokens, whole);
  const long long segments = segments_of(whole.length, tokens);
  item.ends = segment == segments - 1;
  if constexpr (T::has_chunk_slots) item.slot = whole.first_slot + segment * prepare_chunks;
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

}  // namespace rankone

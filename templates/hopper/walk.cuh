// SPDX-License-Identifier: MIT
// The items of a block: a sequence or a segment of one, a value head and a tile of V each.
#pragma once

#include "device/barrier.cuh"
#include "hopper/policy.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

struct Item : Work {
  long long slot;    // of the workspace, where sequences are split
  bool ends;         // its sequence
};

RK_DEVICE bool is_split(const Arguments& arguments) { return arguments.segment_tokens != 0; }

// Segments of a sequence; an empty one has one, which holds its state.
RK_DEVICE long long segments_of(const Arguments& arguments, long long length) {
  return length <= arguments.segment_tokens ? 1 : (length + arguments.segment_tokens - 1) / arguments.segment_tokens;
}

RK_DEVICE long long slots_of(const Arguments& arguments) {
  if (!is_split(arguments)) return arguments.sequences;
  const long long segments = (arguments.tokens + arguments.segment_tokens - 1) / arguments.segment_tokens;
  return arguments.cu_seqlens != nullptr ? segments + arguments.sequences : segments * arguments.sequences;
}

// The packed sequence of this rank, longest first, so that none of the long ones is the last to start. Every thread of the
// loader asks; beyond as many sequences as those the order is theirs, and items are small.
template <class T>
RK_DEVICE long long longest_first(const Arguments& arguments, long long rank) {
  if (arguments.cu_seqlens == nullptr || arguments.sequences > T::loader_threads) return rank;
  const int thread = thread_index();
  const auto length = [&](int index) { return sequence_offset(arguments, index + 1) - sequence_offset(arguments, index); };
  if (thread < arguments.sequences) {
    const long long own = length(thread);
    long long before = 0;
#pragma unroll 4
    for (int other = 0; other < arguments.sequences; ++other) {
      const long long theirs = length(other);
      if (theirs > own || (theirs == own && other < thread)) ++before;
    }
    if (before == rank) shared_store<int>(T::layout.chosen, thread);
  }
  sync_threads(2, T::loader_threads);
  return shared_load<int>(T::layout.chosen);
}

// False for a slot that nobody has.
template <class T>
RK_DEVICE bool find_item(const Arguments& arguments, long long index, Item& item) {
  item.slot = place_columns<T>(arguments, index, item);
  item.ends = true;
  if (!is_split(arguments)) {
    place_sequence(arguments, longest_first<T>(arguments, item.slot), T::chunk, item);
    return true;
  }
  const long long segment = place_chunk(arguments, item.slot, arguments.segment_tokens, item);
  Work whole;
  place_sequence(arguments, item.sequence, arguments.segment_tokens, whole);
  const long long segments = segments_of(arguments, whole.length);
  item.ends = segment == segments - 1;
  return segment >= 0 && segment < segments;
}

// A block's items in turn; in the state-only role the last segment of a sequence is nothing.
template <class T>
struct Items {
  long long index = block_index();

  // False after the last one.
  RK_DEVICE bool next(const Arguments& arguments, Item& item) {
    const long long items = slots_of(arguments) * arguments.value_heads * T::value_tiles;
#pragma unroll 1
    while (index < items) {
      const bool found = find_item<T>(arguments, index, item) && !(T::role == Role::states && item.ends);
      index += block_total();
      if (found) return true;
    }
    return false;
  }
};

}  // namespace rankone

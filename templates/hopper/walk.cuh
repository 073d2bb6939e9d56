// SPDX-License-Identifier: MIT
// The items of a block, which every warpgroup walks in the same order: a sequence or a segment of one, a value head and a
// tile of V each.
#pragma once

#include "hopper/policy.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

// Counted in 32 bits: no memory holds a sequence of 2^31 chunks, and every role keeps its count in a register.
template <class T>
RK_DEVICE int chunks_of(const Work& work) { return static_cast<int>((work.length + T::chunk - 1) / T::chunk); }

// Tokens of a chunk that exist; all but the last are whole.
template <class T>
RK_DEVICE int rows_of(const Work& work, int chunk) {
  const int left = static_cast<int>(work.length) - chunk * T::chunk;  // right modulo 2^32, and small where it matters
  return chunk + 1 < chunks_of<T>(work) ? T::chunk : left;
}

struct Item : Work {
  long long slot;    // of the workspace, where sequences are split
  bool begins, ends; // its sequence
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

// False for a slot that nobody has.
template <class T>
RK_DEVICE bool find_item(const Arguments& arguments, long long index, Item& item) {
  item.slot = place_columns<T>(arguments, index, item);
  item.begins = item.ends = true;
  if (!is_split(arguments)) {
    place_sequence(arguments, item.slot, T::chunk, item);
    return true;
  }
  const long long segment = place_chunk(arguments, item.slot, arguments.segment_tokens, item);
  Work whole;
  place_sequence(arguments, item.sequence, arguments.segment_tokens, whole);
  const long long segments = segments_of(arguments, whole.length);
  item.begins = segment == 0;
  item.ends = segment == segments - 1;
  return segment >= 0 && segment < segments;
}

// Calls visit(item) for what there is to do; in the state-only role the last segment of a sequence is nothing.
template <class T, class Visit>
RK_DEVICE void for_each_item(const Arguments& arguments, const Visit& visit) {
  const long long items = slots_of(arguments) * arguments.value_heads * T::value_tiles;
#pragma unroll 1
  for (long long index = block_index(); index < items; index += block_total()) {
    Item item;
    if (find_item<T>(arguments, index, item) && !(T::role == Role::states && item.ends)) visit(item);
  }
}

}  // namespace rankone

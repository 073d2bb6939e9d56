// SPDX-License-Identifier: MIT
// The items of a block: a sequence or a segment of one, a value head and a tile of V each.
#pragma once

#include "hopper/policy.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

struct WorkItem : Work {
  long long slot;  // of the workspace, where sequences are split
  bool ends;       // its sequence
};

// Tokens of a segment: what a block takes at a time. 0: all of a sequence.
template <class T> RK_DEVICE long long segment_length(const Arguments& arguments) {
  if constexpr (T::prepares_keys)
    return prepare_chunks * T::chunk;
  else
    return arguments.segment_tokens;
}
template <class T> RK_DEVICE bool is_split(const Arguments& arguments) {
  return T::splits_sequences && segment_length<T>(arguments) != 0;
}
// Whether what a block keeps of an item is what the caller asked for: in the state-only pass, unless it is split.
template <class T> RK_DEVICE bool keeps_for_caller(const Arguments& arguments) {
  return T::state_only && !is_split<T>(arguments);
}

// Segments of a sequence; an empty one has one, which holds its state.
RK_DEVICE long long segments_of(long long length, long long tokens) {
  return length <= tokens ? 1 : (length + tokens - 1) / tokens;
}

template <class T> RK_DEVICE long long slots_of(const Arguments& arguments) {
  if (!is_split<T>(arguments)) return arguments.sequences;
  const long long tokens = segment_length<T>(arguments), segments = (arguments.tokens + tokens - 1) / tokens;
  return is_packed<T>(arguments) ? segments + arguments.sequences : segments * arguments.sequences;
}

}  // namespace rankone

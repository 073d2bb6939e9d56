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

template <class T> RK_DEVICE bool is_split(const Arguments& arguments) {
  return T::in_segments && arguments.segment_tokens != 0;
}

// Segments of a sequence; an empty one has one, which holds its state.
RK_DEVICE long long segments_of(const Arguments& arguments, long long length) {
  return length <= arguments.segment_tokens ? 1 : (length + arguments.segment_tokens - 1) / arguments.segment_tokens;
}

template <class T> RK_DEVICE long long slots_of(const Arguments& arguments) {
  if (!is_split<T>(arguments)) return arguments.sequences;
  const long long segments = (arguments.tokens + arguments.segment_tokens - 1) / arguments.segment_tokens;
  return arguments.cu_seqlens != nullptr ? segments + arguments.sequences : segments * arguments.sequences;
}

}  // namespace rankone

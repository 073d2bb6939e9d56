// SPDX-License-Identifier: MIT
// The items of a block, which every warpgroup walks in the same order: a sequence, a value head and a tile of V each.
#pragma once

#include "hopper/policy.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

template <class T>
RK_DEVICE long long chunks_of(const Work& work) { return (work.length + T::chunk - 1) / T::chunk; }

// Tokens of a chunk that exist.
template <class T>
RK_DEVICE int rows_of(const Work& work, long long chunk) {
  return static_cast<int>(clamp(work.length - chunk * T::chunk, 0, T::chunk));
}

template <class T, class Visit>
RK_DEVICE void for_each_item(const Arguments& arguments, const Visit& visit) {
  const long long items = arguments.sequences * arguments.value_heads * T::value_tiles;
#pragma unroll 1
  for (long long item = block_index(); item < items; item += block_total()) visit(find_work<T>(arguments, item));
}

}  // namespace rankone

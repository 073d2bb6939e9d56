// SPDX-License-Identifier: MIT
// Where a normaliser's sum of keys stands in shared memory, behind all else; the kernel and the host compute it by this one
// function.
#pragma once

#include "kernels/layout.cuh"

namespace rankone {

struct SumLayout {
  int sum;        // so far: float [key_padded]
  int span_sums;  // before each sub-chunk: a tile of floats, [chunk / 16][key_padded]
  int reads;      // what each query reads, scaled: float [chunk]
  int bytes;      // with all that stands before
};

RK_CONSTEXPR SumLayout make_sum_layout(int before, int chunk, int key_padded) {
  SumLayout layout{};
  layout.sum = before;
  layout.span_sums = layout.sum + key_padded * 4;
  layout.reads = layout.span_sums + tile_bytes(chunk / sub_chunk, key_padded, 4);
  layout.bytes = layout.reads + chunk * 4;
  return layout;
}

}  // namespace rankone

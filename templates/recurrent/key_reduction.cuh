// SPDX-License-Identifier: MIT
// Sums and maxima over a token's keys, one of which each thread has.
#pragma once

#include "device/barrier.cuh"
#include "device/math.cuh"
#include "device/shared.cuh"
#include "recurrent/policy.cuh"

namespace rankone {

// All threads of a block call the same ones in the same order.
template <class T> struct KeyReduction {
  bool has_key = true;  // else the thread adds nothing
  // Warps leave what they have at two places in turn: by the time the first is written again, all have met at the second.
  int turn = 0;

  RK_DEVICE float sum(float term) {
    return over_block(has_key ? term : 0.0f, [](float a, float b) { return a + b; });
  }
  RK_DEVICE float max(float term) {
    return over_block(has_key ? term : as_float(0xff800000u), [](float a, float b) { return maximum(a, b); });
  }

 private:
  template <class Join> RK_DEVICE float over_block(float own, const Join& join) {
#pragma unroll
    for (int lanes = 1; lanes < warp_size; lanes *= 2) own = join(own, shuffle_xor(own, lanes));
    if constexpr (T::warps == 1) return own;
    const int place = T::layout.reductions + turn * T::warps * 4;
    turn = 1 - turn;
    if (lane_index() == 0) shared_store<float>(place + warp_index() * 4, own);
    sync_block();
    if constexpr (T::warps == 2) return join(shared_load<float>(place), shared_load<float>(place + 4));
    float all = 0.0f;
#pragma unroll
    for (int warp = 0; warp < T::warps; warp += 4) {
      const Vector16 four = shared_load<Vector16>(place + warp * 4);
      const float of_four = join(join(as_float(four.word[0]), as_float(four.word[1])),
                                 join(as_float(four.word[2]), as_float(four.word[3])));
      all = warp == 0 ? of_four : join(all, of_four);
    }
    return all;
  }
};

}  // namespace rankone

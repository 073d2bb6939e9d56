// SPDX-License-Identifier: MIT
// In which order a row's tokens are walked: a sequence is a range of places, and a token stands at each of them.
#pragma once

#include "device/global.cuh"
#include "kernels/sequence.cuh"

namespace rankone {

// The token, in the row of the tensors, at a place. The caller's order is in device memory: whatever it holds, no token
// outside [0, T) is touched.
template <class T> RK_DEVICE long long token_at(const Arguments& arguments, long long place) {
  if constexpr (T::permuted) {
    const Global<const int> order = global<const int>(port<T>(arguments, T::Ports::order).data);
    return clamp(global_load<int>(order + place), 0, arguments.tokens - 1);
  }
  return place;
}

}  // namespace rankone

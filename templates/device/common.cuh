// SPDX-License-Identifier: MIT
// The vocabulary's ground: who a thread is, and block-wide and warp-wide rendezvous.
//
// Every word has this PTX form. The CPU device compiles the same text with RANKONE_HOST defined and brings its own
// form of each word, so nothing else in a kernel may touch shared memory, asm or CUDA builtins.
#pragma once

#include "device/redundant.cuh"

#define RK_DEVICE __device__ __forceinline__

#ifndef RANKONE_HOST
namespace rankone {

RK_DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
RK_DEVICE long long block_index() { return static_cast<long long>(blockIdx.x); }
RK_DEVICE long long block_total() { return static_cast<long long>(gridDim.x); }

RK_DEVICE void sync_block() { asm volatile("bar.sync 0;" ::: "memory"); }
RK_DEVICE void sync_warp(redundant = redundant::never) { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }

// `value`, hidden from the compiler: what follows from it is computed anew, and takes no register across a loop.
RK_DEVICE int opaque(int value) {
  asm volatile("" : "+r"(value));
  return value;
}
// Whether `value` holds in any lane of the warp; every lane takes part, here and below.
RK_DEVICE bool any_lane(bool value) { return __any_sync(0xffffffffu, value) != 0; }
// The largest `value` of the warp.
RK_DEVICE unsigned largest_of_warp(unsigned value) { return __reduce_max_sync(0xffffffffu, value); }
// Lane `lane ^ mask` of the warp.
RK_DEVICE float shuffle_xor(float value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
// Lane `lane - distance`; lanes below `distance` get their own value.
RK_DEVICE float shuffle_up(float value, int distance) { return __shfl_up_sync(0xffffffffu, value, distance); }
// The value of lane `source`.
RK_DEVICE float shuffle(float value, int source) { return __shfl_sync(0xffffffffu, value, source); }

}  // namespace rankone
#endif

namespace rankone {

inline constexpr int warp_size = 32;
RK_DEVICE int lane_index() { return thread_index() % warp_size; }
RK_DEVICE int warp_index() { return thread_index() / warp_size; }

}  // namespace rankone

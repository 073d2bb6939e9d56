// SPDX-License-Identifier: MIT
// Asynchronous copies from global to shared memory (sm_80 and later).
#pragma once

#include "device/shared.cuh"

namespace rankone {

#ifndef RANKONE_HOST
// `size` bytes (4, 8 or 16), of which the first `bytes` are read and the rest become zero; both sides aligned to them.
// The data is there for this thread after its copy_wait, for others after a barrier that follows.
template <int size> RK_DEVICE void copy_async(int offset, const void* source, int bytes) {
  if constexpr (size == 16)  // past L1
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(offset)), "l"(source), "r"(bytes)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(offset)), "l"(source), "n"(size),
                 "r"(bytes)
                 : "memory");
}
// Closes this thread's current group of copies; an empty group counts.
RK_DEVICE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `pending` of this thread's latest groups are still under way.
template <int pending> RK_DEVICE void copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }
#endif

}  // namespace rankone

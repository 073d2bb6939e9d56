// SPDX-License-Identifier: MIT
// Asynchronous copies from global to shared memory (sm_80 and later).
#pragma once

#include "device/shared.cuh"

namespace rankone {

#ifndef RANKONE_HOST
// 16 bytes, of which the first `bytes` (0 to 16) are read and the rest become zero; both sides 16-byte aligned.
// The data is there for this thread after its copy_wait, for others after a barrier that follows.
RK_DEVICE void copy_async_16(int offset, const void* source, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(offset)), "l"(source), "r"(bytes)
               : "memory");
}
// Closes this thread's current group of copies; an empty group counts.
RK_DEVICE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `pending` of this thread's latest groups are still under way.
template <int pending> RK_DEVICE void copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }
#endif

}  // namespace rankone

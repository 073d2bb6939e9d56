// SPDX-License-Identifier: MIT
// Bulk copies between global and shared memory (sm_90): one thread issues a whole range. Addresses, offsets and bytes are
// multiples of 16.
#pragma once

#include "device/barrier.cuh"

namespace rankone {

#ifndef RANKONE_HOST
// Brings the bytes to the barrier, whose phase expects them; whoever waits for that phase sees what was copied.
RK_DEVICE void load_bulk(int offset, const void* source, int bytes, int barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   shared_address(offset)),
               "l"(source), "r"(bytes), "r"(shared_address(barrier))
               : "memory");
}
// What is copied was written before a fence_async of who wrote it, and that before a barrier that this thread has passed.
RK_DEVICE void store_bulk(void* target, int offset, int bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(target), "r"(shared_address(offset)),
               "r"(bytes)
               : "memory");
}
// Closes this thread's current group of bulk stores; an empty group counts.
RK_DEVICE void bulk_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
// Waits until at most `pending` of this thread's latest groups still read shared memory.
template <int pending> RK_DEVICE void bulk_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(pending) : "memory");
}
#endif

}  // namespace rankone

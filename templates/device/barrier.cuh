// SPDX-License-Identifier: MIT
// Barriers of parts of a block (sm_90): mbarriers in shared memory, named barriers, and the fence between proxies.
#pragma once

#include "device/shared.cuh"

namespace rankone {

inline constexpr int longest_sleep = 1000000;  // nanoseconds, before a waiting thread looks again

#ifndef RANKONE_HOST
// An mbarrier is 8 bytes at an offset that is a multiple of 8. One thread initializes it, and publishes that by a
// sync_block. Its phase ends when `arrivals` threads have arrived; the first phase has parity 0.
RK_DEVICE void mbarrier_init(int offset, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(offset)), "r"(arrivals) : "memory");
}
// What this thread did before is seen by whoever waits for the phase.
RK_DEVICE void mbarrier_arrive(int offset) {
  asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(shared_address(offset)) : "memory");
}
// As mbarrier_arrive, and lets the phase end only when copies have brought `bytes` more.
RK_DEVICE void mbarrier_arrive_expecting(int offset, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(offset)),
               "r"(bytes)
               : "memory");
}
// As mbarrier_arrive, some time after all copies that this thread has issued are done; whoever waits for the phase sees
// these, and nothing else that the thread did.
RK_DEVICE void mbarrier_arrive_after_copies(int offset) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(offset)) : "memory");
}
// Waits for the end of the phase of this parity: returns at once if the present phase has the other one. Whoever waits
// sleeps, and takes no issue slots from those who work.
RK_DEVICE void mbarrier_wait(int offset, int parity) {
  asm volatile(
      "{\n\t.reg .pred done;\n"
      "again: mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 done, [%0], %1, %2;\n\t"
      "@!done bra again;\n\t}" ::"r"(shared_address(offset)),
      "r"(parity), "r"(longest_sleep)
      : "memory");
}
// One of the block's barriers 1 to 15, for `threads` threads, a multiple of 32; whole warps take part.
RK_DEVICE void named_barrier_sync(int barrier, int threads) {
  asm volatile("barrier.cta.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
// What this thread has written to shared memory becomes visible to the tensor cores' own reads (wgmma), once a barrier
// has ordered it before them. Two proxies see a write in one order only where a proxy fence stands on the way from one to
// the other (PTX ISA, "Proxy-preserved base causality order"): the writer fences before it arrives, since who reads does
// so through the other proxy alone; copies that end by themselves have no such place, and are fenced by who waits. Copies into another block's memory rest on it, too: its threads have read and written
// there, and given the stage back, before.
RK_DEVICE void fence_async(redundant = redundant::never) {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// Registers a thread, a multiple of 8, for a whole warpgroup: give back, or wait for more.
template <int registers> RK_DEVICE void release_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}
template <int registers> RK_DEVICE void claim_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}
#endif

}  // namespace rankone

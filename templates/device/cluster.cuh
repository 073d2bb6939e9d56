// SPDX-License-Identifier: MIT
// Clusters (sm_90): blocks that run side by side and reach each other's shared memory. Offsets are the same in all of
// them.
#pragma once

#include "device/barrier.cuh"

namespace rankone {

#ifndef RANKONE_HOST
RK_DEVICE int block_rank() {  // in its cluster
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return static_cast<int>(rank);
}
// All threads of all blocks of the cluster.
RK_DEVICE void sync_cluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// The address of an offset in block `rank`.
RK_DEVICE unsigned cluster_address(int offset, int rank) {
  unsigned result;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(result) : "r"(shared_address(offset)), "r"(rank));
  return result;
}
// As mbarrier_arrive, at the barrier of block `rank`. It says that this thread has read what it read of its own shared
// memory; what it wrote goes to other blocks by send_to_block alone. Its scope is the block's, since the cluster's would
// empty the L1 cache at each wait: that reads are done when a later arrival is seen is how the hardware behaves, and
// stands in no memory model.
RK_DEVICE void mbarrier_arrive_at(int offset, int rank) {
  asm volatile("mbarrier.arrive.release.cta.shared::cluster.b64 _, [%0];" ::"r"(cluster_address(offset, rank))
               : "memory");
}
// Copies `bytes` of the own block to the same offset of block `rank`, asynchronously, and brings them to the barrier
// there; offset and bytes are multiples of 16. What the copy reads is written before a fence_async of who wrote it.
RK_DEVICE void send_to_block(int rank, int offset, int bytes, int barrier) {
  asm volatile("cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   cluster_address(offset, rank)),
               "r"(shared_address(offset)), "r"(bytes), "r"(cluster_address(barrier, rank))
               : "memory");
}
#endif

}  // namespace rankone

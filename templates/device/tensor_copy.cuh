// SPDX-License-Identifier: MIT
// Copies of boxes of a tensor to shared memory (sm_90), by one thread: a map says where the tensor's elements stand.
#pragma once

#include "device/arguments.cuh"
#include "device/barrier.cuh"

namespace rankone {

#ifndef RANKONE_HOST
// The map is one of the kernel's parameters. Its box, from these coordinates on, goes to `offset`, a multiple of 1024:
// rows of 128 bytes one after the other, 16-byte unit u of the row at address A at u ^ (A / 128 % 8). What lies outside
// the tensor, on any side, becomes zero, and counts among the bytes that are brought to the barrier, whose phase expects
// them. Whoever waits for that phase sees what was copied. What stood there before was read and written before a
// fence_async that this thread comes after.
RK_DEVICE void tma_load(int offset, const TensorMap& map, int column, int token, int head, int batch, int barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5}], "
      "[%6];" ::"r"(shared_address(offset)),
      "l"(&map), "r"(column), "r"(token), "r"(head), "r"(batch), "r"(shared_address(barrier))
      : "memory");
}
// Brings the map itself near; the first copy else waits for it.
RK_DEVICE void tma_prefetch(const TensorMap& map) { asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"); }
#endif

}  // namespace rankone

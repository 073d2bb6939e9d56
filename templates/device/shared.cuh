// SPDX-License-Identifier: MIT
// Shared memory, by byte offset into the block's one dynamic allocation. No raw pointer leaves this file: on the CPU
// device each access is checked against what happened before it.
#pragma once

#include "device/types.cuh"

namespace rankone {

#ifndef RANKONE_HOST
extern __shared__ __align__(1024) unsigned char shared_memory[];

// T has 1, 2, 4, 8 or 16 bytes, and the offset is a multiple of that.
template <class T> RK_DEVICE T shared_load(int offset) { return *reinterpret_cast<const T*>(shared_memory + offset); }
template <class T> RK_DEVICE void shared_store(int offset, T value) {
  *reinterpret_cast<T*>(shared_memory + offset) = value;
}

RK_DEVICE unsigned shared_address(int offset) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared_memory)) + static_cast<unsigned>(offset);
}
// Eight bytes, and no branch, around which nothing else could be scheduled.
RK_DEVICE void shared_store_if(bool wanted, int offset, float first, float second) {
  asm volatile(
      "{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %0, 0;\n\t@p st.shared.v2.f32 [%1], {%2, %3};\n\t}" ::"r"(wanted ? 1u : 0u),
      "r"(shared_address(offset)), "f"(first), "f"(second)
      : "memory");
}
#endif

}  // namespace rankone

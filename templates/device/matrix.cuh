// SPDX-License-Identifier: MIT
// Tensor-core products of a warp (sm_80 and later): m16n8, float32 accumulators.
//
// With group = lane / 4 and pair = lane % 4, an accumulator c[4] holds (row, column)
//   c0 (group, 2 pair), c1 (group, 2 pair + 1), c2 (group + 8, 2 pair), c3 (group + 8, 2 pair + 1).
#pragma once

#include "device/shared.cuh"

namespace rankone {

#ifndef RANKONE_HOST
// Four 8x8 tiles of 16-bit elements. Lane i gives the offset of row i % 8 of tile i / 8 (16-byte aligned); r[j] is
// tile j's (group, 2 pair) and (group, 2 pair + 1), or with `transposed` its (2 pair, group) and (2 pair + 1, group).
RK_DEVICE void load_matrix_x4(unsigned (&r)[4], int offset) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(offset))
               : "memory");
}
RK_DEVICE void load_matrix_x4_transposed(unsigned (&r)[4], int offset) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(offset))
               : "memory");
}
// c += a b with k = 16: a0 (group, 2 pair..), a1 (group + 8, 2 pair..), a2 (group, 2 pair + 8..), a3 (group + 8, 2
// pair + 8..); b0 (2 pair.., group), b1 (2 pair + 8.., group).
RK_DEVICE void mma_bf16(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// c += a b with k = 8, operands in tf32: a0 (group, pair), a1 (group + 8, pair), a2 (group, pair + 4), a3 (group + 8,
// pair + 4); b0 (pair, group), b1 (pair + 4, group).
RK_DEVICE void mma_tf32(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

}  // namespace rankone

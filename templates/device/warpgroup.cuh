// SPDX-License-Identifier: MIT
// Tensor-core products of a warpgroup (sm_90a): m = 64 rows by n columns, k = 16, float32 accumulators, asynchronous.
//
// A warpgroup is four consecutive warps, the first a multiple of four. Warp w % 4 = i holds rows 16 i to 16 i + 15.
// With group = lane / 4 and pair = lane % 4, c[4 j + ..] holds (row, column)
//   c0 (group, 8 j + 2 pair), c1 (group, 8 j + 2 pair + 1), c2 (group + 8, 8 j + 2 pair), c3 (group + 8, 8 j + 2 pair + 1)
// and a left operand in registers is that of mma_bf16 for the warp's 16 rows.
// Products are issued between wgmma_fence and wgmma_commit; until a wgmma_wait that covers them, their accumulators may
// not be touched, and what they read of shared memory may not be written.
#pragma once

#include "device/shared.cuh"

namespace rankone {

template <class T> constexpr bool is_bf16 = false;
template <> constexpr bool is_bf16<bf16> = true;

// An operand in shared memory, its element (row, step) given by how its 8x8 blocks stand; a row is one of m or n.
//   steps_adjacent: 16 steps of a row lie side by side ("K-major"); blocks of 8 rows are `stride_bytes` apart.
//     swizzled: rows are 128 bytes apart, and 16-byte unit u of the row at address A stands at u ^ (A / 128 % 8);
//     else rows are 16 bytes apart, and the second 8 steps start `leading_bytes` after the first.
//   otherwise rows lie side by side ("MN-major"), 64 to a swizzled row of 128 bytes: steps are 128 bytes apart, blocks of
//     8 steps `stride_bytes`, blocks of 64 rows `leading_bytes`.
// It starts `moved` bytes, best a constant, after `offset`, both multiples of 16; swizzled patterns start at multiples
// of 1024 bytes. Operands that differ only in `moved` share a descriptor but for one addition.
template <bool steps_adjacent_, bool swizzled_, int leading_bytes_, int stride_bytes_> struct MatrixView {
  static constexpr bool steps_adjacent = steps_adjacent_, swizzled = swizzled_;
  static constexpr int leading_bytes = leading_bytes_, stride_bytes = stride_bytes_;
  static_assert(steps_adjacent || swizzled, "rows that lie side by side are swizzled here");
  int offset, moved = 0;
};

#ifndef RANKONE_HOST
template <class View> RK_DEVICE unsigned long long matrix_descriptor(const View& view) {
  constexpr unsigned low = static_cast<unsigned>(View::leading_bytes / 16) << 16;
  constexpr unsigned high = static_cast<unsigned>(View::stride_bytes / 16) | (View::swizzled ? 1u << 30 : 0u);
  const unsigned start = (shared_address(view.offset) & 0x3ffffu) / 16 | low;
  return static_cast<unsigned long long>(high) << 32 | (start + static_cast<unsigned>(view.moved / 16));
}

RK_DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
RK_DEVICE void wgmma_commit(redundant = redundant::never) {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Waits until at most `pending` of the warpgroup's latest groups are still under way.
template <int pending> RK_DEVICE void wgmma_wait(redundant = redundant::never) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
// Keeps the compiler from moving what reads or writes accumulators across this point.
template <int count> RK_DEVICE void wgmma_settle(float (&c)[count]) {
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+f"(c[i])::"memory");
}

#define RK_WGMMA_N32(TYPE)                                                                                            \
  if constexpr (registers)                                                                                            \
    asm volatile(                                                                                                     \
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %21, 0;\n\t"                                                            \
        "wgmma.mma_async.sync.aligned.m64n32k16.f32." TYPE "." TYPE                                                   \
        " "                                                                                                           \
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "                                    \
        "{%16, %17, %18, %19}, %20, p, 1, 1, %22;\n\t}"                                                               \
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7]), "+f"(c[8]), \
          "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]), "+f"(c[14]), "+f"(c[15])                    \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(accumulate ? 1 : 0), "n"(b_transposed));            \
  else                                                                                                                \
    asm volatile(                                                                                                     \
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %18, 0;\n\t"                                                            \
        "wgmma.mma_async.sync.aligned.m64n32k16.f32." TYPE "." TYPE                                                   \
        " "                                                                                                           \
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "                                    \
        "%16, %17, p, 1, 1, %19, %20;\n\t}"                                                                           \
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7]), "+f"(c[8]), \
          "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]), "+f"(c[14]), "+f"(c[15])                    \
        : "l"(a_descriptor), "l"(b), "n"(accumulate ? 1 : 0), "n"(a_transposed), "n"(b_transposed))

#define RK_WGMMA_N64(TYPE)                                                                                                                                         \
  if constexpr (registers)                                                                                                                                         \
    asm volatile(                                                                                                                                                  \
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %37, 0;\n\t"                                                                                                         \
        "wgmma.mma_async.sync.aligned.m64n64k16.f32." TYPE "." TYPE                                                                                                \
        " "                                                                                                                                                        \
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, " \
        "{%32, %33, %34, %35}, %36, p, 1, 1, %38;\n\t}"                                                                                                            \
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7]), "+f"(c[8]),                                              \
          "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]), "+f"(c[14]), "+f"(c[15]), "+f"(c[16]),                                                   \
          "+f"(c[17]), "+f"(c[18]), "+f"(c[19]), "+f"(c[20]), "+f"(c[21]), "+f"(c[22]), "+f"(c[23]), "+f"(c[24]),                                                  \
          "+f"(c[25]), "+f"(c[26]), "+f"(c[27]), "+f"(c[28]), "+f"(c[29]), "+f"(c[30]), "+f"(c[31])                                                                \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(accumulate ? 1 : 0), "n"(b_transposed));                                                         \
  else                                                                                                                                                             \
    asm volatile(                                                                                                                                                  \
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %34, 0;\n\t"                                                                                                         \
        "wgmma.mma_async.sync.aligned.m64n64k16.f32." TYPE "." TYPE                                                                                                \
        " "                                                                                                                                                        \
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, " \
        "%32, %33, p, 1, 1, %35, %36;\n\t}"                                                                                                                        \
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]), "+f"(c[7]), "+f"(c[8]),                                              \
          "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]), "+f"(c[14]), "+f"(c[15]), "+f"(c[16]),                                                   \
          "+f"(c[17]), "+f"(c[18]), "+f"(c[19]), "+f"(c[20]), "+f"(c[21]), "+f"(c[22]), "+f"(c[23]), "+f"(c[24]),                                                  \
          "+f"(c[25]), "+f"(c[26]), "+f"(c[27]), "+f"(c[28]), "+f"(c[29]), "+f"(c[30]), "+f"(c[31])                                                                \
        : "l"(a_descriptor), "l"(b), "n"(accumulate ? 1 : 0), "n"(a_transposed), "n"(b_transposed))

// The one place that issues: `a` counts where `registers`, else `a_descriptor`.
template <class T, int n, bool accumulate, bool registers, int a_transposed, int b_transposed>
RK_DEVICE void issue_wgmma(float (&c)[n / 2], const unsigned (&a)[4], unsigned long long a_descriptor,
                           unsigned long long b) {
  static_assert(n == 32 || n == 64, "widths that are spelled out here");
  if constexpr (is_bf16<T> && n == 32) {
    RK_WGMMA_N32("bf16");
  } else if constexpr (is_bf16<T>) {
    RK_WGMMA_N64("bf16");
  } else if constexpr (n == 32) {
    RK_WGMMA_N32("f16");
  } else {
    RK_WGMMA_N64("f16");
  }
}
#undef RK_WGMMA_N32
#undef RK_WGMMA_N64

// c += a b, or c = a b where not `accumulate`; T is bf16 or f16.
template <class T, bool accumulate, int count, class B>
RK_DEVICE void wgmma(float (&c)[count], const unsigned (&a)[4], const B& b) {
  issue_wgmma<T, 2 * count, accumulate, true, 0, B::steps_adjacent ? 0 : 1>(c, a, 0, matrix_descriptor(b));
}
template <class T, bool accumulate, int count, bool adjacent, bool swizzled, int leading, int stride, class B>
RK_DEVICE void wgmma(float (&c)[count], const MatrixView<adjacent, swizzled, leading, stride>& a, const B& b) {
  const unsigned none[4] = {};
  issue_wgmma<T, 2 * count, accumulate, false, adjacent ? 0 : 1, B::steps_adjacent ? 0 : 1>(
      c, none, matrix_descriptor(a), matrix_descriptor(b));
}

// Four 8x8 tiles of 16-bit elements: the inverse of load_matrix_x4, and of load_matrix_x4_transposed. Lane i gives the
// offset of row i % 8 of tile i / 8.
RK_DEVICE void store_matrix_x4(int offset, const unsigned (&r)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(offset)),
               "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
               : "memory");
}
RK_DEVICE void store_matrix_x4_transposed(int offset, const unsigned (&r)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(offset)),
               "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
               : "memory");
}
#endif

}  // namespace rankone

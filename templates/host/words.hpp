// SPDX-License-Identifier: MIT
// Host forms of the words that touch shared memory, other lanes, the tensor cores and asynchronous copies.
//
// Each hands over to the emulator; `line` is filled in where the word is called.
#pragma once

#include "host/interface.hpp"
#include "host/keywords.hpp"

namespace rankone {

struct bf16;
struct f16;
struct TensorMap;
enum class redundant : unsigned char;

// The smallest access of this kernel decides how finely its shared memory is tracked; each size notes itself at load.
inline int host_smallest_access = 16;
template <int bytes>
inline const bool host_access_noted = [] {
  static_assert(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16);
  if (bytes < host_smallest_access) host_smallest_access = bytes;
  return true;
}();

// So does whether a kernel has words of parts of a block. These are templates, so that only their use notes it.
inline bool host_has_parts = false;
template <int> inline const bool host_parts_noted = [] { return host_has_parts = true; }();

__device__ __forceinline__ int thread_index() { return host_thread().local; }
__device__ __forceinline__ int block_rank() { return host_thread().rank; }
__device__ __forceinline__ long long block_index() { return host_thread().block; }
__device__ __forceinline__ long long block_total() { return host_thread().blocks; }

__device__ __forceinline__ void sync_block(int line = __builtin_LINE()) {
  host_interface->sync_block(host_thread(), line);
}
__device__ __forceinline__ void sync_warp(redundant = redundant{}, int line = __builtin_LINE()) {
  host_interface->sync_warp(host_thread(), line);
}

__device__ __forceinline__ float shuffle(float value, int source, int line = __builtin_LINE()) {
  return host_interface->shuffle(host_thread(), value, source & 31, line);
}
__device__ __forceinline__ float shuffle_xor(float value, int mask, int line = __builtin_LINE()) {
  return shuffle(value, thread_index() ^ mask, line);
}
__device__ __forceinline__ int opaque(int value) { return value; }
__device__ __forceinline__ bool any_lane(bool value, int line = __builtin_LINE()) {
  float any = value ? 1.0f : 0.0f;
  for (int mask = 1; mask < 32; mask *= 2) any += shuffle_xor(any, mask, line);
  return any != 0.0f;
}
__device__ __forceinline__ unsigned largest_of_warp(unsigned value, int line = __builtin_LINE()) {
  for (int mask = 1; mask < 32; mask *= 2) {
    const unsigned other = __builtin_bit_cast(unsigned, shuffle_xor(__builtin_bit_cast(float, value), mask, line));
    value = other > value ? other : value;
  }
  return value;
}
__device__ __forceinline__ float shuffle_up(float value, int distance, int line = __builtin_LINE()) {
  const int lane = thread_index() & 31;
  return shuffle(value, lane < distance ? lane : lane - distance, line);
}

template <class T> __device__ __forceinline__ T shared_load(int offset, int line = __builtin_LINE()) {
  (void)host_access_noted<sizeof(T)>;
  T value;
  __builtin_memcpy(&value, host_interface->load(host_thread(), offset, sizeof(T), line), sizeof(T));
  return value;
}
template <class T> __device__ __forceinline__ void shared_store(int offset, T value, int line = __builtin_LINE()) {
  (void)host_access_noted<sizeof(T)>;
  __builtin_memcpy(host_interface->store(host_thread(), offset, sizeof(T), line), &value, sizeof(T));
}
template <int note = 0>  // so that modules without it do not have it
__device__ __forceinline__ void shared_store_if(bool wanted, int offset, float first, float second,
                                                int line = __builtin_LINE()) {
  struct alignas(8) {
    float first, second;
  } const pair{first, second};
  if (wanted) shared_store(offset, pair, line);
}

template <int size>
__device__ __forceinline__ void copy_async(int offset, const void* source, int bytes, int line = __builtin_LINE()) {
  host_interface->copy_async(host_thread(), offset, size, source, bytes, line);
}
__device__ __forceinline__ void copy_commit(int line = __builtin_LINE()) {
  host_interface->copy_commit(host_thread(), line);
}
template <int pending> __device__ __forceinline__ void copy_wait(int line = __builtin_LINE()) {
  host_interface->copy_wait(host_thread(), pending, line);
}

// A lane receives pairs of adjacent elements, or with `transposed` single ones.
__device__ __forceinline__ void load_matrix_x4(unsigned (&r)[4], int offset, int line = __builtin_LINE()) {
  host_interface->load_matrix(host_thread(), r, offset, false, line);
}
template <int element_bytes = 2>
__device__ __forceinline__ void load_matrix_x4_transposed(unsigned (&r)[4], int offset, int line = __builtin_LINE()) {
  (void)host_access_noted<element_bytes>;
  host_interface->load_matrix(host_thread(), r, offset, true, line);
}

__device__ __forceinline__ void mma_bf16(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                                         int line = __builtin_LINE()) {
  host_interface->multiply(host_thread(), HostProduct::bf16, c, a, b0, b1, line);
}
__device__ __forceinline__ void mma_tf32(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                                         int line = __builtin_LINE()) {
  host_interface->multiply(host_thread(), HostProduct::tf32, c, a, b0, b1, line);
}

__device__ __forceinline__ void store_matrix_x4(int offset, const unsigned (&r)[4], int line = __builtin_LINE()) {
  host_interface->store_matrix(host_thread(), r, offset, false, line);
}
template <int element_bytes = 2>
__device__ __forceinline__ void store_matrix_x4_transposed(int offset, const unsigned (&r)[4],
                                                           int line = __builtin_LINE()) {
  (void)host_access_noted<element_bytes>;
  host_interface->store_matrix(host_thread(), r, offset, true, line);
}

template <int note = 0>
__device__ __forceinline__ void mbarrier_init(int offset, int arrivals, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->mbarrier_init(host_thread(), offset, arrivals, line);
}
template <int note = 0> __device__ __forceinline__ void mbarrier_arrive(int offset, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->mbarrier_arrive(host_thread(), offset, line);
}
template <int note = 0>
__device__ __forceinline__ void mbarrier_wait(int offset, int parity, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->mbarrier_wait(host_thread(), offset, parity, line);
}
template <int note = 0>
__device__ __forceinline__ void mbarrier_arrive_after_copies(int offset, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->mbarrier_arrive_after_copies(host_thread(), offset, line);
}
template <int note = 0>
__device__ __forceinline__ void mbarrier_arrive_at(int offset, int rank, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->mbarrier_arrive_at(host_thread(), offset, rank, line);
}
template <int note = 0>
__device__ __forceinline__ void mbarrier_arrive_expecting(int offset, int bytes, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->mbarrier_arrive_expecting(host_thread(), offset, bytes, line);
}
template <int note = 0> __device__ __forceinline__ void sync_cluster(int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->sync_cluster(host_thread(), line);
}
template <int note = 0>
__device__ __forceinline__ void send_to_block(int rank, int offset, int bytes, int barrier,
                                              int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->send_to_block(host_thread(), rank, offset, bytes, barrier, line);
}
template <int note = 0>
__device__ __forceinline__ void load_bulk(int offset, const void* source, int bytes, int barrier,
                                          int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->load_bulk(host_thread(), offset, source, bytes, barrier, line);
}
template <int note = 0>
__device__ __forceinline__ void tma_load(int offset, const TensorMap& map, int column, int token, int head, int batch,
                                         int barrier, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->tma_load(host_thread(), offset, &map, {column, token, head, batch}, barrier, line);
}
__device__ __forceinline__ void tma_prefetch(const TensorMap&) {}
template <int note = 0>
__device__ __forceinline__ void store_bulk(void* target, int offset, int bytes, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->store_bulk(host_thread(), target, offset, bytes, line);
}
template <int note = 0> __device__ __forceinline__ void bulk_commit(int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->bulk_commit(host_thread(), line);
}
template <int pending> __device__ __forceinline__ void bulk_wait_read(int line = __builtin_LINE()) {
  (void)host_parts_noted<0>;
  host_interface->bulk_wait_read(host_thread(), pending, line);
}
template <int note = 0>
__device__ __forceinline__ void named_barrier_sync(int barrier, int threads, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->named_barrier_sync(host_thread(), barrier, threads, line);
}
template <int note = 0>
__device__ __forceinline__ void fence_async(redundant = redundant{}, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->fence_async(host_thread(), line);
}
template <int registers> __device__ __forceinline__ void release_registers(int line = __builtin_LINE()) {
  static_assert(registers >= 24 && registers <= 256 && registers % 8 == 0);
  (void)host_parts_noted<0>;
  host_interface->set_registers(host_thread(), registers, line);
}
template <int registers> __device__ __forceinline__ void claim_registers(int line = __builtin_LINE()) {
  release_registers<registers>(line);
}

template <int note = 0> __device__ __forceinline__ void wgmma_fence(int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->wgmma_fence(host_thread(), line);
}
template <int note = 0>
__device__ __forceinline__ void wgmma_commit(redundant = redundant{}, int line = __builtin_LINE()) {
  (void)host_parts_noted<note>;
  host_interface->wgmma_commit(host_thread(), line);
}
template <int pending>
__device__ __forceinline__ void wgmma_wait(redundant = redundant{}, int line = __builtin_LINE()) {
  (void)host_parts_noted<0>;
  host_interface->wgmma_wait(host_thread(), pending, line);
}
template <int count> __device__ __forceinline__ void wgmma_settle(float (&)[count]) {}

template <class View> __device__ __forceinline__ HostMatrix host_matrix(const View& view) {
  return {view.offset + view.moved, View::leading_bytes, View::stride_bytes, View::steps_adjacent, View::swizzled};
}
template <class T, bool accumulate, int count>
__device__ __forceinline__ void host_wgmma(float (&c)[count], const unsigned* a, const HostMatrix& a_matrix,
                                           const HostMatrix& b_matrix, int line) {
  static_assert(count == 16 || count == 32, "widths that the device spells out");
  static_assert(__is_same(T, bf16) || __is_same(T, f16));
  (void)host_parts_noted<0>;
  const HostWarpgroupProduct product{
      __is_same(T, bf16) ? HostProduct::bf16 : HostProduct::f16, accumulate, 2 * count, c, a, a_matrix, b_matrix};
  host_interface->wgmma(host_thread(), product, line);
}
template <class T, bool accumulate, int count, class B>
__device__ __forceinline__ void wgmma(float (&c)[count], const unsigned (&a)[4], const B& b,
                                      int line = __builtin_LINE()) {
  host_wgmma<T, accumulate>(c, a, {}, host_matrix(b), line);
}
template <class T, bool accumulate, int count, class A, class B>
requires(A::stride_bytes >= 0) __device__ __forceinline__
    void wgmma(float (&c)[count], const A& a, const B& b, int line = __builtin_LINE()) {
  host_wgmma<T, accumulate>(c, nullptr, host_matrix(a), host_matrix(b), line);
}

}  // namespace rankone

// The emulator binds the table once, after loading, and asks how finely to track.
extern "C" __global__ int rankone_host_bind(const rankone::HostInterface* table) {
  rankone::host_interface = table;
  const int granule = rankone::host_smallest_access < 4 ? rankone::host_smallest_access : 4;
  return rankone::host_has_parts ? granule | rankone::host_parts_flag : granule;
}

// SPDX-License-Identifier: MIT
// What a host-compiled kernel and the emulator know of each other: one record a thread and one table of functions.
#pragma once

namespace rankone {

// Fiber stacks are the slots of an aligned arena whose first slot holds the records, one a slot. A thread thus finds
// its own record from its stack pointer alone: no thread-local storage, and nothing to restore when fibers switch.
constexpr unsigned long host_slot_bytes = 128ul << 10;
constexpr unsigned long host_arena_slots = 4096;
constexpr unsigned long host_arena_bytes = host_slot_bytes * host_arena_slots;

struct HostThread {
  long long block;       // block_index()
  long long blocks;      // block_total()
  unsigned short index;  // among all threads of the cluster
  unsigned short local;  // thread_index()
  unsigned short rank;   // block_rank()
  void* emulator;        // what runs this cluster
};

inline HostThread& host_thread() {
  const unsigned long here = reinterpret_cast<unsigned long>(__builtin_frame_address(0));
  return reinterpret_cast<HostThread*>(here & ~(host_arena_bytes - 1))[here / host_slot_bytes % host_arena_slots];
}

enum class HostProduct { bf16, f16, tf32 };

// An operand of a warpgroup's product in shared memory: a MatrixView.
struct HostMatrix {
  int offset, leading_bytes, stride_bytes;
  bool steps_adjacent, swizzled;
};
struct HostWarpgroupProduct {
  HostProduct type;
  bool accumulate;
  int n;
  float* c;
  const unsigned* a;  // null: the left operand is `a_matrix`
  HostMatrix a_matrix, b_matrix;
};

// `line` is the calling line of the emitted text: the identity of a word in reports, and of what a test removes.
struct HostInterface {
  void (*sync_block)(HostThread&, int line);
  void (*sync_warp)(HostThread&, int line);
  float (*shuffle)(HostThread&, float value, int source, int line);
  const void* (*load)(HostThread&, int offset, int bytes, int line);                // checked; the bytes to read
  void* (*store)(HostThread&, int offset, int bytes, int line);                     // checked; the bytes to write
  const void* (*global_load)(HostThread&, const void* place, int bytes, int line);  // likewise
  void* (*global_store)(HostThread&, void* place, int bytes, int line);
  void (*copy_async)(HostThread&, int offset, int size, const void* source, int bytes, int line);
  void (*copy_commit)(HostThread&, int line);
  void (*copy_wait)(HostThread&, int pending, int line);
  void (*load_matrix)(HostThread&, unsigned* r, int offset, bool transposed, int line);
  void (*multiply)(HostThread&, HostProduct, float* c, const unsigned* a, unsigned b0, unsigned b1, int line);
  void (*store_matrix)(HostThread&, const unsigned* r, int offset, bool transposed, int line);
  void (*mbarrier_init)(HostThread&, int offset, int arrivals, int line);
  void (*mbarrier_arrive)(HostThread&, int offset, int line);
  void (*mbarrier_wait)(HostThread&, int offset, int parity, int line);
  void (*mbarrier_arrive_at)(HostThread&, int offset, int rank, int line);
  void (*mbarrier_arrive_expecting)(HostThread&, int offset, int bytes, int line);
  void (*mbarrier_arrive_after_copies)(HostThread&, int offset, int line);
  void (*sync_cluster)(HostThread&, int line);
  void (*send_to_block)(HostThread&, int rank, int offset, int bytes, int barrier, int line);
  void (*load_bulk)(HostThread&, int offset, const void* source, int bytes, int barrier, int line);
  void (*tma_load)(HostThread&, int offset, const void* map, const int (&at)[4], int barrier, int line);
  void (*store_bulk)(HostThread&, void* target, int offset, int bytes, int line);
  void (*bulk_commit)(HostThread&, int line);
  void (*bulk_wait_read)(HostThread&, int pending, int line);
  void (*named_barrier_sync)(HostThread&, int barrier, int threads, int line);
  void (*fence_async)(HostThread&, int line);
  void (*set_registers)(HostThread&, int registers, int line);
  void (*wgmma)(HostThread&, const HostWarpgroupProduct&, int line);
  void (*wgmma_fence)(HostThread&, int line);
  void (*wgmma_commit)(HostThread&, int line);
  void (*wgmma_wait)(HostThread&, int pending, int line);
};

inline const HostInterface* host_interface = nullptr;  // bound once, after loading

// What the binding of a module returns: its granule, and whether parts of a block synchronize alone.
constexpr int host_parts_flag = 256;

}  // namespace rankone

// SPDX-License-Identifier: MIT
// One emulated cluster, mostly of a single block: a fiber a thread, random schedule, rendezvous of warps, of blocks and
// of the cluster. Its blocks' threads are counted through, and their shared memories lie side by side.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/cpu/arena.hpp"
#include "runtime/cpu/causal_shadow.hpp"
#include "runtime/cpu/clocks.hpp"
#include "runtime/cpu/global_memory.hpp"
#include "runtime/cpu/shadow.hpp"
#include "runtime/cpu/stack_switch.hpp"
#include "runtime/cpu/warpgroup.hpp"
#include "runtime/mapped_tensor.hpp"
#include "templates/device/arguments.cuh"
#include "templates/host/interface.hpp"

namespace rankone {

inline constexpr int host_warp_size = 32, max_block_threads = 1024, max_cluster = 8, max_threads = 2048,
                     max_lines = 1 << 16;

enum class Word : unsigned char {
  none,
  sync_block,
  sync_warp,
  shuffle,
  load_matrix,
  load_matrix_transposed,
  multiply_bf16,
  multiply_tf32,
  load,
  store,
  global_load,
  global_store,
  copy_async,
  store_matrix,
  store_matrix_transposed,
  mbarrier_init,
  mbarrier_arrive,
  mbarrier_wait,
  mbarrier_arrive_at,
  mbarrier_arrive_expecting,
  mbarrier_arrive_after_copies,
  sync_cluster,
  send_to_block,
  load_bulk,
  tma_load,
  store_bulk,
  named_barrier_sync,
  set_registers,
  wgmma,
  wgmma_fence,
  wgmma_commit,
  wgmma_wait
};

enum class FailureKind : unsigned char {
  none,
  race,
  out_of_range,
  misaligned,
  misaligned_place,
  bad_copy_size,
  disagreement,
  deadlock,
  no_barrier,
  unfenced_barrier,
  bad_arrivals,
  bad_parity,
  extra_arrival,
  missed_phase,
  bad_sync_threads,
  sync_threads_disagree,
  partial_warpgroup,
  warpgroup_disagreement,
  operands_disagree,
  no_wgmma_fence,
  accumulators_touched,
  products_left,
  no_block,
  bad_send,
  no_map,
  bad_box,
  bad_expectation,
  block_gone,
  sends_left,
  stores_left,
  global
};

// Plain data, since it is filled in on a fiber that is then abandoned.
struct Failure {
  FailureKind kind = FailureKind::none;
  Conflict conflict = Conflict::none;
  Word word = Word::none;
  int thread = 0, line = 0;  // of the access that failed
  int offset = 0, bytes = 0;
  Access other{};  // the earlier access of a race
  GlobalFinding global{};
};

// What all blocks of a launch have in common.
struct BlockLaunch {
  void (*entry)(const Arguments&) = nullptr;  // and the ports behind them
  const Arguments* arguments = nullptr;
  std::int64_t blocks = 1;
  int threads = 0, shared_bytes = 0;  // of a block
  int cluster = 1;                    // blocks
  int span = 0;                       // from one block's shared memory to the next one's
  GlobalMemory* memory = nullptr;     // null: global memory is not looked at
  int granule = 4;
  bool parts = false;  // parts of the block synchronize alone: vector clocks
  std::uint64_t seed = 1;
  bool check_races = true;
  int dropped_line = 0;
};

// An asynchronous copy from its issue to its wait.
struct PendingCopy {
  const void* source;  // as the kernel gave it
  int offset, size;    // of which `bytes` are read
  int bytes, line;
  int group;
  bool delivered;
};

// A bulk store from its issue to its wait.
struct PendingStore {
  void* target;
  int from, bytes, line;
  int group;
  std::uint32_t time;  // in the warp's column of stores
  bool delivered;
};

// A box of a tensor, from these coordinates on.
struct Box {
  MappedTensor tensor{};
  std::array<int, 4> at{};
};

// What arrives at a barrier on its own time, once it is issued: each warp's in turn.
struct AsyncArrival {
  int barrier = 0, line = 0;        // where it arrives, or brings bytes
  std::uint32_t time = 0;           // in the warp's column of copies or sends
  std::vector<PendingCopy> copies;  // that it comes after
  int from = 0, to = 0, bytes = 0;  // of a send; 0 bytes: none
  const void* source = nullptr;     // of a bulk copy from global memory, in place of `from`
  int thread = 0;
  Box box{};  // of a tensor copy, in place of a range at `source`
};

struct Fiber {
  StackContext context = nullptr;
  int index = 0, line = 0;  // `line` and `word`: where it waits
  Word word = Word::none;
  int place = 0, detail = 0;  // which barrier it waits at; its parity or number of threads
  bool exited = false;
  bool woken = false;              // by the end of a phase of the barrier at `place`, and has not run since
  const void* operands = nullptr;  // of a warp-wide word, on the fiber's own stack
  std::vector<PendingCopy> copies;
  int group = 0;  // of the copies issued next
  std::vector<PendingStore> stores;
  int store_group = 0;  // likewise
};

struct Warp {
  std::uint32_t ready = 0;  // lanes that can run
  std::uint32_t time = 0;   // the clock's tick at its last synchronization
  int arrived = 0;          // lanes at the present rendezvous, and which it is
  Word word = Word::none;
  int line = 0;
};

// An mbarrier.
struct SharedBarrier {
  int offset = 0, arrivals = 0, missing = 0;
  unsigned phase = 0;
  std::int64_t bytes = 0;  // that the phase still expects
  Access init{};
  int gathered = -1, published = -1;  // rows of clocks: of all arrivals, and of those up to the last phase's end
};

// One of the block's named barriers.
struct NamedBarrier {
  std::uint64_t warps = 0;  // that have come
  int threads = 0;
};

class Block {
 public:
  void prepare(const BlockLaunch& launch);
  // Runs one block to its end; the report of what went wrong, or empty.
  std::string run(std::int64_t block);
  const std::array<std::uint64_t, max_lines / 64>& visited() const { return visited_; }

  // The words, called on fibers.
  void sync_block(HostThread&, int line);
  void sync_warp(HostThread&, int line);
  const void* load(HostThread&, int offset, int bytes, int line);
  void* store(HostThread&, int offset, int bytes, int line);
  const void* global_load(HostThread&, const void* place, int bytes, int line);
  void* global_store(HostThread&, void* place, int bytes, int line);
  void copy_async(HostThread&, int offset, int size, const void* source, int bytes, int line);
  void copy_commit(HostThread&, int line);
  void copy_wait(HostThread&, int pending, int line);
  void mbarrier_init(HostThread&, int offset, int arrivals, int line);
  void mbarrier_arrive(HostThread&, int offset, int line);
  void mbarrier_wait(HostThread&, int offset, int parity, int line);
  void mbarrier_arrive_at(HostThread&, int offset, int rank, int line);
  void mbarrier_arrive_expecting(HostThread&, int offset, int bytes, int line);
  void mbarrier_arrive_after_copies(HostThread&, int offset, int line);
  void sync_cluster(HostThread&, int line);
  void send_to_block(HostThread&, int rank, int offset, int bytes, int barrier, int line);
  void load_bulk(HostThread&, int offset, const void* source, int bytes, int barrier, int line);
  void tma_load(HostThread&, int offset, const void* map, const int (&at)[4], int barrier, int line);
  void store_bulk(HostThread&, void* target, int offset, int bytes, int line);
  void bulk_commit(HostThread&, int line);
  void bulk_wait_read(HostThread&, int pending, int line);
  void named_barrier_sync(HostThread&, int barrier, int threads, int line);
  void fence_async(HostThread&, int line);
  void set_registers(HostThread&, int line);
  void wgmma(HostThread&, const HostWarpgroupProduct&, int line);
  void wgmma_fence(HostThread&, int line);
  void wgmma_commit(HostThread&, int line);
  void wgmma_wait(HostThread&, int pending, int line);
  // The last lane to arrive carries the word out for all 32, whose operands are then complete.
  template <class Perform>
  void collective(HostThread& thread, Word word, int line, const void* operands, Perform perform) {
    Fiber& me = fibers_[static_cast<std::size_t>(thread.index)];
    me.operands = operands;
    if (arrive(me, word, line)) {
      perform(*this, &fibers_[static_cast<std::size_t>(me.index / host_warp_size * host_warp_size)]);
      release_warp(me);
    } else {
      leave(me);
    }
  }
  // Inside the block's shared memory and aligned to its size; then also written, and ordered.
  void check_place(Word word, int thread, int offset, int bytes, int line) {
    if (offset < 0 || offset > launch_.shared_bytes - bytes || (offset & (bytes - 1)) != 0)
      fail_place(word, thread, offset, bytes, line);
  }
  const unsigned char* checked_load(Word word, int thread, int offset, int bytes, int line) {
    check_place(word, thread, offset, bytes, line);
    offset += base_of(thread);
    if (launch_.check_races) check_read(word, thread, offset, bytes, line);
    return shared_.data() + offset;
  }
  unsigned char* checked_store(Word word, int thread, int offset, int bytes, int line) {
    check_place(word, thread, offset, bytes, line);
    offset += base_of(thread);
    if (launch_.check_races) check_write(word, thread, offset, bytes, line);
    return shared_.data() + offset;
  }

 private:
  static void start();
  static std::uint16_t clamped(int line) { return static_cast<std::uint16_t>(line < max_lines ? line : max_lines - 1); }

  int rank_of(int thread) const { return launch_.cluster == 1 ? 0 : thread / launch_.threads; }
  int base_of(int thread) const { return rank_of(thread) * launch_.span; }
  std::uint64_t warps_of_block(int rank) const;
  void begin(std::int64_t cluster);
  void abandon_copies();
  std::uint64_t draw();
  Fiber* pick();
  void leave(Fiber& me);
  void finish(Fiber& me);
  bool arrive(Fiber& me, Word word, int line);
  void release_warp(const Fiber& me);
  void make_ready(int warp, std::uint32_t lanes);
  // These leave the fiber for good.
  [[gnu::cold]] void fail(const Failure& failure);
  [[gnu::cold]] void fail_place(Word word, int thread, int offset, int bytes, int line);
  [[gnu::cold]] void fail_order(Conflict conflict, Word word, int thread, int offset, int bytes, int line,
                                Access other);
  bool skipped(int line);
  Access stamp(int thread, int line) const {
    return {launch_.parts ? clocks_.time(thread) : warps_[static_cast<std::size_t>(thread / host_warp_size)].time,
            static_cast<std::uint16_t>(thread), clamped(line)};
  }
  void check_read(Word word, int thread, int offset, int bytes, int line) {
    Access other;
    const Access now = stamp(thread, line);
    const Conflict conflict =
        launch_.parts ? causal_.read(clocks_, offset, bytes, now, other) : shadow_.read(offset, bytes, now, other);
    if (conflict != Conflict::none) fail_order(conflict, word, thread, offset, bytes, line, other);
  }
  void check_write(Word word, int thread, int offset, int bytes, int line) {
    Access other;
    const Access now = stamp(thread, line);
    const Conflict conflict =
        launch_.parts ? causal_.write(clocks_, offset, bytes, now, other) : shadow_.write(offset, bytes, now, other);
    if (conflict != Conflict::none) fail_order(conflict, word, thread, offset, bytes, line, other);
  }
  void end_copy(const PendingCopy& copy, Access now) {
    if (launch_.parts) {
      causal_.end_copy(copy.offset, copy.size, now);
    } else {
      shadow_.end_copy(copy.offset, copy.size, now);
    }
  }
  // The next two: at that offset of block `rank`.
  SharedBarrier& barrier_at(Word word, int thread, int rank, int offset, int line);
  void check_init_is_fenced(const SharedBarrier& barrier, Word word, int thread, bool is_here, int offset, int line);
  void check_block(Word word, int thread, int rank, int line);
  void arrive_at(Word word, int thread, int rank, int offset, int bytes, int line);
  void check_arrival(const SharedBarrier& barrier, Word word, int thread, int offset, int line);
  void count_arrival(SharedBarrier& barrier);
  void end_phase(SharedBarrier& barrier);
  void synchronized(std::uint64_t warps, bool all);
  void queue(AsyncArrival arrival);
  bool complete_some();
  Warpgroup& warpgroup_of(int thread) { return warpgroups_[static_cast<std::size_t>(thread / warpgroup_threads)]; }
  bool arrive_warpgroup(const Fiber& me, Word word, int line);
  void release_warpgroup(const Fiber& me);
  template <class Perform>
  void warpgroup_collective(HostThread& thread, Word word, int line, const void* operands, Perform perform) {
    Fiber& me = fibers_[static_cast<std::size_t>(thread.index)];
    me.operands = operands;
    if (arrive(me, word, line) && arrive_warpgroup(me, word, line)) {
      perform(*this, warpgroup_of(me.index), &fibers_[static_cast<std::size_t>(first_of_warpgroup(me.index))]);
      release_warpgroup(me);
    } else {
      leave(me);
    }
  }
  // The address, if nothing is wrong with the access.
  void* check_global(Word word, int thread, GlobalUse&& use, int line);  // which it stamps
  const void* begin_global_read(Word word, int thread, const void* place, std::int64_t bytes, int alignment, bool bulk,
                                int line);
  void finish_global_read(const void* place, std::int64_t bytes, int thread, int line, Access done);
  static int first_of_warpgroup(int thread) { return thread / warpgroup_threads * warpgroup_threads; }
  void issue(Warpgroup& group, const Fiber* threads, int line);
  void check_issue(const Warpgroup& group, const Fiber* threads, int line);
  void take_accumulators(Accumulators& to, bool first, const Fiber* threads, int line);
  void check_operand(const HostMatrix& matrix, int rows, Access now, const Fiber* threads, int line);
  void perform_next(Warpgroup& group);
  void finish_groups(Warpgroup& group, const Fiber* threads, int pending, int line);
  void load_bulk_into(Word word, int thread, int rank, int offset, const void* source, int bytes, int barrier, int line,
                      const Box& box = {});
  void check_bulk_range(Word word, int thread, int offset, int bytes, int line);
  std::uint32_t begin_bulk_read(Word word, int thread, std::uint16_t column, int from, int bytes, int line);
  void begin_bulk_write(Word word, int thread, int to, int bytes, int line);
  void deliver(PendingStore& store);
  void begin_box(Word word, int thread, const Box& box, int line);
  void finish_box(const Box& box, int thread, int line, Access done);
  void deliver(const Box& box, int to);
  void deliver(PendingCopy& copy);
  void deliver_some(Fiber& me, std::uint64_t random);
  std::string report() const;  // of failure_
  std::string place_report(const std::string& who) const;
  std::string barrier_report(const std::string& who) const;
  std::string warpgroup_report(const std::string& who) const;
  std::string transfer_report(const std::string& who) const;
  std::string global_report() const;
  std::string where_threads_are(int first, int last) const;

  BlockLaunch launch_{};
  Arena arena_;
  Shadow shadow_;
  CausalShadow causal_;  // these two in place of shadow_ where parts synchronize alone
  Clocks clocks_;
  std::vector<SharedBarrier> barriers_;
  std::array<NamedBarrier, 16 * max_cluster> named_{};
  std::array<Warpgroup, max_threads / warpgroup_threads> warpgroups_{};
  std::array<std::deque<AsyncArrival>, max_threads / host_warp_size> arrivals_{};
  int arrivals_under_way_ = 0;
  int products_under_way_ = 0;
  std::vector<unsigned char> shared_;
  std::vector<Fiber> fibers_;
  std::array<Warp, max_threads / host_warp_size> warps_{};
  StackContext main_ = nullptr, discarded_ = nullptr;
  Failure failure_{};
  std::array<std::uint64_t, max_lines / 64> visited_{};
  std::uint64_t random_ = 1, stay_mask_ = 0;
  std::uint64_t ready_warps_ = 0;
  std::uint32_t clock_ = 1, cluster_ = 0;
  int running_ = 0, current_warp_ = 0, warps_at_cluster_barrier_ = 0;
  std::array<int, max_cluster> running_of_{}, warps_at_barrier_{};  // of each block
};

const char* name_of(Word word);
extern const HostInterface host_words;  // the table that a module is bound to

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Shared memory and asynchronous copies, checked; and the table of words that modules are bound to.
#include <cstring>

#include "runtime/cpu/block.hpp"
#include "runtime/cpu/collective.hpp"

namespace rankone {

void Block::fail_place(Word word, int thread, int offset, int bytes, int line) {
  const bool outside = offset < 0 || offset > launch_.shared_bytes - bytes;
  fail({.kind = outside ? FailureKind::out_of_range : FailureKind::misaligned,
        .word = word,
        .thread = thread,
        .line = line,
        .offset = offset,
        .bytes = bytes});
}

void Block::fail_order(Conflict conflict, Word word, int thread, int offset, int bytes, int line, Access other) {
  if (launch_.cluster > 1) offset %= launch_.span;
  fail({FailureKind::race, conflict, word, thread, line, offset, bytes, other});
}

const void* Block::load(HostThread& thread, int offset, int bytes, int line) {
  return checked_load(Word::load, thread.index, offset, bytes, line);
}

void* Block::store(HostThread& thread, int offset, int bytes, int line) {
  return checked_store(Word::store, thread.index, offset, bytes, line);
}

void Block::copy_async(HostThread& thread, int offset, int size, const void* source, int bytes, int line) {
  const int index = thread.index;
  check_place(Word::copy_async, index, offset, size, line);
  offset += base_of(index);
  if (bytes < 0 || bytes > size)
    fail({.kind = FailureKind::bad_copy_size, .word = Word::copy_async, .thread = index, .line = line, .bytes = bytes});
  begin_global_read(Word::copy_async, index, source, bytes, size, false, line);
  if (launch_.check_races) {
    Access other;
    const Access now = stamp(index, line);
    const Conflict conflict = launch_.parts ? causal_.begin_copy(clocks_, offset, size, now, other)
                                            : shadow_.begin_copy(offset, size, now, other);
    if (conflict != Conflict::none) fail_order(conflict, Word::copy_async, index, offset, size, line, other);
  }
  Fiber& me = fibers_[static_cast<std::size_t>(index)];
  me.copies.push_back({source, offset, size, bytes, line, me.group, false});
  deliver_some(me, draw() >> 32);
}

void Block::copy_commit(HostThread& thread, int line) {
  if (!skipped(line)) ++fibers_[static_cast<std::size_t>(thread.index)].group;
}

void Block::copy_wait(HostThread& thread, int pending, int line) {
  if (skipped(line)) return;
  Fiber& me = fibers_[static_cast<std::size_t>(thread.index)];
  const int first_pending = me.group - pending;
  std::size_t kept = 0;
  for (PendingCopy& copy : me.copies) {
    if (copy.group < first_pending) {
      deliver(copy);
      // From here on it is as if this thread had copied the bytes itself.
      const Access now = stamp(me.index, copy.line);
      if (launch_.check_races) end_copy(copy, now);
      finish_global_read(copy.source, copy.bytes, me.index, copy.line, now);
    } else {
      me.copies[kept++] = copy;
    }
  }
  me.copies.resize(kept);
}

// The source is read now: what the kernel writes to it between issue and delivery may or may not arrive.
void Block::deliver(PendingCopy& copy) {
  if (copy.delivered) return;
  copy.delivered = true;
  unsigned char* const target = shared_.data() + copy.offset;
  const void* const source = GlobalMemory::plain(copy.source);
  if (copy.bytes > 0) std::memcpy(target, source, static_cast<std::size_t>(copy.bytes));
  if (copy.bytes < copy.size) std::memset(target + copy.bytes, 0, static_cast<std::size_t>(copy.size - copy.bytes));
}

// Sometimes one of the copies under way arrives.
void Block::deliver_some(Fiber& me, std::uint64_t random) {
  if (random % 4 == 0) deliver(me.copies[(random >> 2) % me.copies.size()]);
}

namespace {

Block& block_of(HostThread& thread) { return *static_cast<Block*>(thread.emulator); }

}  // namespace

const HostInterface host_words = {
    .sync_block = [](HostThread& t, int line) { block_of(t).sync_block(t, line); },
    .sync_warp = [](HostThread& t, int line) { block_of(t).sync_warp(t, line); },
    .shuffle = [](HostThread& t, float value, int source,
                  int line) { return collective_shuffle(block_of(t), t, value, source, line); },
    .load = [](HostThread& t, int offset, int bytes, int line) { return block_of(t).load(t, offset, bytes, line); },
    .store = [](HostThread& t, int offset, int bytes, int line) { return block_of(t).store(t, offset, bytes, line); },
    .global_load = [](HostThread& t, const void* place, int bytes,
                      int line) { return block_of(t).global_load(t, place, bytes, line); },
    .global_store = [](HostThread& t, void* place, int bytes,
                       int line) { return block_of(t).global_store(t, place, bytes, line); },
    .copy_async = [](HostThread& t, int offset, int size, const void* source, int bytes,
                     int line) { block_of(t).copy_async(t, offset, size, source, bytes, line); },
    .copy_commit = [](HostThread& t, int line) { block_of(t).copy_commit(t, line); },
    .copy_wait = [](HostThread& t, int pending, int line) { block_of(t).copy_wait(t, pending, line); },
    .load_matrix = [](HostThread& t, unsigned* r, int offset, bool transposed,
                      int line) { collective_load_matrix(block_of(t), t, r, offset, transposed, line); },
    .multiply = [](HostThread& t, HostProduct product, float* c, const unsigned* a, unsigned b0, unsigned b1,
                   int line) { collective_multiply(block_of(t), t, product, c, a, b0, b1, line); },
    .store_matrix = [](HostThread& t, const unsigned* r, int offset, bool transposed,
                       int line) { collective_store_matrix(block_of(t), t, r, offset, transposed, line); },
    .mbarrier_init = [](HostThread& t, int offset, int arrivals,
                        int line) { block_of(t).mbarrier_init(t, offset, arrivals, line); },
    .mbarrier_arrive = [](HostThread& t, int offset, int line) { block_of(t).mbarrier_arrive(t, offset, line); },
    .mbarrier_wait = [](HostThread& t, int offset, int parity,
                        int line) { block_of(t).mbarrier_wait(t, offset, parity, line); },
    .mbarrier_arrive_at = [](HostThread& t, int offset, int rank,
                             int line) { block_of(t).mbarrier_arrive_at(t, offset, rank, line); },
    .mbarrier_arrive_expecting = [](HostThread& t, int offset, int bytes,
                                    int line) { block_of(t).mbarrier_arrive_expecting(t, offset, bytes, line); },
    .mbarrier_arrive_after_copies = [](HostThread& t, int offset,
                                       int line) { block_of(t).mbarrier_arrive_after_copies(t, offset, line); },
    .sync_cluster = [](HostThread& t, int line) { block_of(t).sync_cluster(t, line); },
    .send_to_block = [](HostThread& t, int rank, int offset, int bytes, int barrier,
                        int line) { block_of(t).send_to_block(t, rank, offset, bytes, barrier, line); },
    .load_bulk = [](HostThread& t, int offset, const void* source, int bytes, int barrier,
                    int line) { block_of(t).load_bulk(t, offset, source, bytes, barrier, line); },
    .tma_load = [](HostThread& t, int offset, const void* map, const int (&at)[4], int barrier,
                   int line) { block_of(t).tma_load(t, offset, map, at, barrier, line); },
    .store_bulk = [](HostThread& t, void* target, int offset, int bytes,
                     int line) { block_of(t).store_bulk(t, target, offset, bytes, line); },
    .bulk_commit = [](HostThread& t, int line) { block_of(t).bulk_commit(t, line); },
    .bulk_wait_read = [](HostThread& t, int pending, int line) { block_of(t).bulk_wait_read(t, pending, line); },
    .named_barrier_sync = [](HostThread& t, int barrier, int threads,
                             int line) { block_of(t).named_barrier_sync(t, barrier, threads, line); },
    .fence_async = [](HostThread& t, int line) { block_of(t).fence_async(t, line); },
    .set_registers = [](HostThread& t, int, int line) { block_of(t).set_registers(t, line); },
    .wgmma = [](HostThread& t, const HostWarpgroupProduct& p, int line) { block_of(t).wgmma(t, p, line); },
    .wgmma_fence = [](HostThread& t, int line) { block_of(t).wgmma_fence(t, line); },
    .wgmma_commit = [](HostThread& t, int line) { block_of(t).wgmma_commit(t, line); },
    .wgmma_wait = [](HostThread& t, int pending, int line) { block_of(t).wgmma_wait(t, pending, line); },
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Bulk copies between global and shared memory. A load arrives at its barrier as what another block sends does; a store
// reads shared memory late, at the latest when it is waited for.
#include <cstring>

#include "runtime/cpu/block.hpp"

namespace rankone {
namespace {

constexpr unsigned char poison = 0xff;

}  // namespace

void Block::check_bulk_range(Word word, int thread, int offset, int bytes, int line) {
  if (bytes <= 0 || bytes % 16 != 0 || offset % 16 != 0 || offset < 0 || bytes > launch_.shared_bytes - offset)
    fail({.kind = FailureKind::bad_send,
          .word = word,
          .thread = thread,
          .line = line,
          .offset = offset,
          .bytes = bytes});
}

// What will be read of shared memory some time from now; the time in the reader's column that says when it is done.
std::uint32_t Block::begin_bulk_read(Word word, int thread, std::uint16_t column, int from, int bytes, int line) {
  const Access now{++clock_, column, clamped(line)};
  if (launch_.check_races) {
    Access other;
    clocks_.meet(thread, 1);
    if (const Conflict c = causal_.read_by_product(clocks_, from, bytes, now, other); c != Conflict::none)
      fail_order(c, word, thread, from, bytes, line, other);
  }
  return now.time;
}

// What will be written to shared memory some time from now, and is no number until then.
void Block::begin_bulk_write(Word word, int thread, int to, int bytes, int line) {
  if (launch_.check_races) {
    Access other;
    if (const Conflict c = causal_.begin_bulk_copy(clocks_, to, bytes, stamp(thread, line), other); c != Conflict::none)
      fail_order(c, word, thread, to, bytes, line, other);
  }
  std::memset(shared_.data() + to, poison, static_cast<std::size_t>(bytes));
}

void Block::load_bulk_into(Word word, int thread, int rank, int offset, const void* source, int bytes, int barrier,
                           int line, const Box& box) {
  const SharedBarrier& there = barrier_at(word, thread, rank, barrier, line);
  check_init_is_fenced(there, word, thread, true, barrier, line);
  const int to = offset + rank * launch_.span, target = there.offset;
  begin_bulk_write(word, thread, to, bytes, line);
  queue({.barrier = target,
         .line = line,
         .time = ++clock_,
         .copies = {},
         .to = to,
         .bytes = bytes,
         .source = source,
         .thread = thread,
         .box = box});
}

void Block::load_bulk(HostThread& thread, int offset, const void* source, int bytes, int barrier, int line) {
  check_bulk_range(Word::load_bulk, thread.index, offset, bytes, line);
  begin_global_read(Word::load_bulk, thread.index, source, bytes, 16, true, line);
  load_bulk_into(Word::load_bulk, thread.index, thread.rank, offset, source, bytes, barrier, line);
}

void Block::store_bulk(HostThread& thread, void* target, int offset, int bytes, int line) {
  constexpr Word word = Word::store_bulk;
  const int me = thread.index, from = offset + base_of(me);
  check_bulk_range(word, me, offset, bytes, line);
  // Nothing that this kernel does comes after it: its only wait is for what it reads of shared memory.
  void* const place = check_global(
      word, me, {.place = target, .bytes = bytes, .alignment = 16, .writes = true, .lasts = true, .bulk = true}, line);
  const std::uint32_t time = begin_bulk_read(word, me, clocks_.store_column(me), from, bytes, line);
  Fiber& fiber = fibers_[static_cast<std::size_t>(me)];
  fiber.stores.push_back({place, from, bytes, line, fiber.store_group, time, false});
}

void Block::deliver(PendingStore& store) {
  if (store.delivered) return;
  store.delivered = true;
  std::memcpy(store.target, shared_.data() + store.from, static_cast<std::size_t>(store.bytes));
}

void Block::bulk_commit(HostThread& thread, int line) {
  if (!skipped(line)) ++fibers_[static_cast<std::size_t>(thread.index)].store_group;
}

void Block::bulk_wait_read(HostThread& thread, int pending, int line) {
  if (skipped(line)) return;
  Fiber& me = fibers_[static_cast<std::size_t>(thread.index)];
  const int first_pending = me.store_group - pending;
  for (PendingStore& store : me.stores) {
    if (store.group >= first_pending) continue;
    deliver(store);
    clocks_.learn(me.index, clocks_.store_column(me.index), store.time);
  }
  std::erase_if(me.stores, [&](const PendingStore& store) { return store.group < first_pending; });
}

}  // namespace rankone

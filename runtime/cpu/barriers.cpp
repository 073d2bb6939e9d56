// SPDX-License-Identifier: MIT
// Barriers of parts of a block, and the fence between proxies.
#include <bit>

#include "runtime/cpu/block.hpp"

namespace rankone {

void Block::mbarrier_init(HostThread& thread, int offset, int arrivals, int line) {
  checked_store(Word::mbarrier_init, thread.index, offset, 8, line);
  constexpr int most = (1 << 20) - 1;
  if (arrivals < 1 || arrivals > most)
    fail({.kind = FailureKind::bad_arrivals,
          .word = Word::mbarrier_init,
          .thread = thread.index,
          .line = line,
          .bytes = arrivals});
  const int place = offset + base_of(thread.index);
  SharedBarrier* barrier = nullptr;
  for (SharedBarrier& each : barriers_)
    if (each.offset == place) barrier = &each;
  if (barrier == nullptr) {
    barriers_.emplace_back();
    barrier = &barriers_.back();
    barrier->offset = place;
  } else {
    clocks_.drop(barrier->gathered);
    clocks_.drop(barrier->published);
  }
  barrier->arrivals = barrier->missing = arrivals;
  barrier->phase = 0;
  barrier->bytes = 0;
  barrier->init = stamp(thread.index, line);
  barrier->gathered = clocks_.new_row();
  barrier->published = clocks_.new_row();
}

// To use a barrier is to read what its initialization wrote.
SharedBarrier& Block::barrier_at(Word word, int thread, int rank, int offset, int line) {
  check_place(word, thread, offset, 8, line);
  const int place = offset + rank * launch_.span;
  for (SharedBarrier& barrier : barriers_) {
    if (barrier.offset != place) continue;
    if (!launch_.check_races) return barrier;
    check_read(word, thread, place, 8, line);
    if (causal_.last_written_by(place, 8, barrier.init)) return barrier;
  }
  fail({.kind = FailureKind::no_barrier, .word = word, .thread = thread, .line = line, .offset = offset});
  __builtin_unreachable();
}

void Block::mbarrier_arrive(HostThread& thread, int offset, int line) {
  if (!skipped(line)) arrive_at(Word::mbarrier_arrive, thread.index, thread.rank, offset, 0, line);
}

// `bytes`: that the phase expects besides.
void Block::arrive_at(Word word, int thread, int rank, int offset, int bytes, int line) {
  SharedBarrier& barrier = barrier_at(word, thread, rank, offset, line);
  check_arrival(barrier, word, thread, offset, line);
  clocks_.release(thread, barrier.gathered, ++clock_);
  barrier.bytes += bytes;
  count_arrival(barrier);
}

// Unless it comes after all arrivals of the former phase, it could as well have counted there.
void Block::check_arrival(const SharedBarrier& barrier, Word word, int thread, int offset, int line) {
  const bool too_many = barrier.missing == 0;  // and only bytes are
  if (too_many || (launch_.check_races && barrier.phase > 0 && !clocks_.follows_row(thread, barrier.published)))
    fail({.kind = FailureKind::extra_arrival,
          .word = word,
          .thread = thread,
          .line = line,
          .offset = offset,
          .bytes = barrier.arrivals});
}

void Block::count_arrival(SharedBarrier& barrier) {
  --barrier.missing;
  end_phase(barrier);
}

void Block::end_phase(SharedBarrier& barrier) {
  if (barrier.missing > 0 || barrier.bytes != 0) return;
  barrier.missing = barrier.arrivals;
  ++barrier.phase;
  clocks_.drop(barrier.published);
  barrier.published = clocks_.copy(barrier.gathered);
  for (Fiber& fiber : fibers_) {
    if (fiber.place != barrier.offset) continue;
    // Its phase's parity is the present one again: on the device it would wait for yet another.
    if (fiber.woken)
      fail({.kind = FailureKind::missed_phase,
            .word = Word::mbarrier_wait,
            .thread = fiber.index,
            .line = fiber.line,
            .offset = barrier.offset - base_of(fiber.index)});
    if (fiber.word != Word::mbarrier_wait) continue;
    fiber.woken = true;
    fiber.word = Word::none;
    clocks_.acquire(fiber.index, barrier.published);
    make_ready(fiber.index / host_warp_size, 1u << fiber.index % host_warp_size);
  }
}

void Block::mbarrier_wait(HostThread& thread, int offset, int parity, int line) {
  if (skipped(line)) return;
  if (parity != 0 && parity != 1)
    fail({.kind = FailureKind::bad_parity,
          .word = Word::mbarrier_wait,
          .thread = thread.index,
          .line = line,
          .bytes = parity});
  SharedBarrier& barrier = barrier_at(Word::mbarrier_wait, thread.index, thread.rank, offset, line);
  if ((barrier.phase & 1u) != static_cast<unsigned>(parity)) return clocks_.acquire(thread.index, barrier.published);
  Fiber& me = fibers_[static_cast<std::size_t>(thread.index)];
  me.word = Word::mbarrier_wait;
  me.line = line;
  me.place = barrier.offset;
  me.detail = parity;
  leave(me);
  me.woken = false;
}

void Block::named_barrier_sync(HostThread& thread, int number, int threads, int line) {
  if (skipped(line)) return;
  Fiber& me = fibers_[static_cast<std::size_t>(thread.index)];
  if (number < 1 || number >= 16 || threads < host_warp_size || threads > launch_.threads ||
      threads % host_warp_size != 0)
    fail({.kind = FailureKind::bad_sync_threads,
          .word = Word::named_barrier_sync,
          .thread = me.index,
          .line = line,
          .offset = number,
          .bytes = threads});
  me.place = number;
  me.detail = threads;
  if (arrive(me, Word::named_barrier_sync, line)) {
    NamedBarrier& barrier = named_[static_cast<std::size_t>(16 * thread.rank + number)];
    const int first = me.index / host_warp_size * host_warp_size;
    bool agree = barrier.warps == 0 || barrier.threads == threads;
    for (int i = first; i < first + host_warp_size; ++i) {
      const Fiber& lane = fibers_[static_cast<std::size_t>(i)];
      agree &= lane.place == number && lane.detail == threads;
    }
    if (!agree)
      fail({.kind = FailureKind::sync_threads_disagree,
            .word = Word::named_barrier_sync,
            .thread = me.index,
            .line = line,
            .offset = number,
            .bytes = threads});
    barrier.threads = threads;
    barrier.warps |= std::uint64_t{1} << first / host_warp_size;
    if (std::popcount(barrier.warps) * host_warp_size == threads) {
      clocks_.synchronize(barrier.warps, ++clock_);
      for (std::uint64_t left = barrier.warps; left; left &= left - 1) {
        const int warp = std::countr_zero(left);
        for (int i = 0; i < host_warp_size; ++i)
          fibers_[static_cast<std::size_t>(warp * host_warp_size + i)].word = Word::none;
        make_ready(warp, ~0u);
      }
      barrier.warps = 0;
    }
  }
  leave(me);
}

void Block::fence_async(HostThread& thread, int line) {
  if (!skipped(line)) clocks_.fence(thread.index, ++clock_);
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Words of a cluster, and whatever arrives at a barrier on its own time: copies that announce themselves, and what one
// block sends to another.
#include <cstring>

#include "runtime/cpu/block.hpp"

namespace rankone {
void Block::mbarrier_arrive_at(HostThread& thread, int offset, int rank, int line) {
  if (skipped(line)) return;
  check_block(Word::mbarrier_arrive_at, thread.index, rank, line);
  arrive_at(Word::mbarrier_arrive_at, thread.index, rank, offset, 0, line);
}

void Block::mbarrier_arrive_expecting(HostThread& thread, int offset, int bytes, int line) {
  if (skipped(line)) return;
  constexpr int most = (1 << 20) - 1;
  if (bytes < 0 || bytes > most)
    fail({.kind = FailureKind::bad_expectation,
          .word = Word::mbarrier_arrive_expecting,
          .thread = thread.index,
          .line = line,
          .bytes = bytes});
  arrive_at(Word::mbarrier_arrive_expecting, thread.index, thread.rank, offset, bytes, line);
}

void Block::mbarrier_arrive_after_copies(HostThread& thread, int offset, int line) {
  if (skipped(line)) return;
  const SharedBarrier& barrier =
      barrier_at(Word::mbarrier_arrive_after_copies, thread.index, thread.rank, offset, line);
  check_arrival(barrier, Word::mbarrier_arrive_after_copies, thread.index, offset, line);
  queue({.barrier = barrier.offset,
         .line = line,
         .time = ++clock_,
         .copies = std::exchange(fibers_[static_cast<std::size_t>(thread.index)].copies, {}),
         .thread = thread.index});
}

// That block is there, and has not ended.
void Block::check_block(Word word, int thread, int rank, int line) {
  if (rank < 0 || rank >= launch_.cluster)
    fail({.kind = FailureKind::no_block, .word = word, .thread = thread, .line = line, .bytes = rank});
  if (running_of_[static_cast<std::size_t>(rank)] == 0)
    fail({.kind = FailureKind::block_gone, .word = word, .thread = thread, .line = line, .bytes = rank});
}

// Copies use the barrier by the other proxy. A fence reaches no further than the block of who fences.
void Block::check_init_is_fenced(const SharedBarrier& barrier, Word word, int thread, bool is_here, int offset,
                                 int line) {
  if (!launch_.check_races) return;
  if (is_here ? clocks_.fenced_before(barrier.init, thread) : clocks_.fenced_by_writer(barrier.init, thread)) return;
  fail({.kind = FailureKind::unfenced_barrier,
        .word = word,
        .thread = thread,
        .line = line,
        .offset = offset,
        .other = barrier.init});
}

void Block::send_to_block(HostThread& thread, int rank, int offset, int bytes, int barrier, int line) {
  constexpr Word word = Word::send_to_block;
  const int me = thread.index;
  check_block(word, me, rank, line);
  check_bulk_range(word, me, offset, bytes, line);
  const int from = offset + thread.rank * launch_.span, to = offset + rank * launch_.span;
  const SharedBarrier& there = barrier_at(word, me, rank, barrier, line);
  check_init_is_fenced(there, word, me, rank == thread.rank, barrier, line);
  const int target = there.offset;
  const std::uint32_t time = begin_bulk_read(word, me, clocks_.send_column(me), from, bytes, line);
  begin_bulk_write(word, me, to, bytes, line);
  queue({.barrier = target,
         .line = line,
         .time = time,
         .copies = {},
         .from = from,
         .to = to,
         .bytes = bytes,
         .thread = me});
}

void Block::queue(AsyncArrival arrival) {
  arrivals_[static_cast<std::size_t>(arrival.thread / host_warp_size)].push_back(std::move(arrival));
  ++arrivals_under_way_;
}

// The oldest of a random warp arrives; false where nothing is under way.
bool Block::complete_some() {
  if (arrivals_under_way_ == 0) return false;
  std::size_t warp = draw() % arrivals_.size();
  while (arrivals_[warp].empty()) warp = (warp + 1) % arrivals_.size();
  AsyncArrival arrival = std::move(arrivals_[warp].front());
  arrivals_[warp].pop_front();
  --arrivals_under_way_;

  const bool sent = arrival.bytes != 0;
  const std::uint16_t column = sent ? clocks_.send_column(arrival.thread) : clocks_.copy_column(arrival.thread);
  for (PendingCopy& copy : arrival.copies) {
    deliver(copy);
    const Access now{arrival.time, column, clamped(copy.line)};
    if (launch_.check_races) causal_.end_copy(copy.offset, copy.size, now);
    finish_global_read(copy.source, copy.bytes, arrival.thread, copy.line, now);
  }
  const Access done{arrival.time, column, clamped(arrival.line)};
  if (arrival.box.tensor.base != nullptr) {
    deliver(arrival.box, arrival.to);
    finish_box(arrival.box, arrival.thread, arrival.line, done);
  } else if (sent) {
    const void* const source =
        arrival.source != nullptr ? GlobalMemory::plain(arrival.source) : shared_.data() + arrival.from;
    std::memcpy(shared_.data() + arrival.to, source, static_cast<std::size_t>(arrival.bytes));
    if (arrival.source != nullptr)
      finish_global_read(arrival.source, arrival.bytes, arrival.thread, arrival.line, done);
  }
  if (sent && launch_.check_races) {
    causal_.end_copy(arrival.to, arrival.bytes, done);
  }
  for (SharedBarrier& barrier : barriers_) {
    if (barrier.offset != arrival.barrier) continue;
    clocks_.know(barrier.gathered, column, arrival.time);
    if (sent) {
      barrier.bytes -= arrival.bytes;
      end_phase(barrier);
    } else {
      count_arrival(barrier);
    }
    break;
  }
  return true;
}

}  // namespace rankone

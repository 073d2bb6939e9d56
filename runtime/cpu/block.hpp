// SPDX-License-Identifier: MIT
// One emulated block: a fiber a thread, random schedule, rendezvous of warps and of the block.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/context/detail/fcontext.hpp>

#include "runtime/cpu/arena.hpp"
#include "runtime/cpu/shadow.hpp"
#include "templates/device/arguments.cuh"
#include "templates/host/interface.hpp"

namespace rankone {

inline constexpr int host_warp_size = 32, max_block_threads = 1024, max_lines = 1 << 16;

enum class Word : unsigned char {
  none,
  sync_block,
  sync_warp,
  shuffle,
  load_matrix,
  load_matrix_transposed,
  multiply_bf16,
  multiply_f16,
  multiply_tf32,
  load,
  store,
  copy_async
};

enum class FailureKind : unsigned char {
  none,
  race,
  out_of_range,
  misaligned,
  misaligned_source,
  bad_copy_size,
  disagreement,
  deadlock
};

// Plain data, since it is filled in on a fiber that is then abandoned.
struct Failure {
  FailureKind kind = FailureKind::none;
  Conflict conflict = Conflict::none;
  Word word = Word::none;
  int thread = 0, line = 0;  // of the access that failed
  int offset = 0, bytes = 0;
  Access other{};  // the earlier access of a race
};

// What all blocks of a launch have in common.
struct BlockLaunch {
  void (*entry)(Arguments) = nullptr;
  const Arguments* arguments = nullptr;
  int threads = 0, shared_bytes = 0, granule = 4;
  std::uint64_t seed = 1;
  bool check_races = true;
  int dropped_line = 0;
};

// An asynchronous copy from its issue to its wait.
struct PendingCopy {
  const void* source;
  int offset, bytes, line;
  int group;
  bool delivered;
};

struct Fiber {
  boost::context::detail::fcontext_t context = nullptr;
  int index = 0, line = 0;  // `line` and `word`: where it waits
  Word word = Word::none;
  bool exited = false;
  const void* operands = nullptr;  // of a warp-wide word, on the fiber's own stack
  std::vector<PendingCopy> copies;
  int group = 0;  // of the copies issued next
};

struct Warp {
  std::uint32_t ready = 0;  // lanes that can run
  std::uint32_t time = 0;   // the clock's tick at its last synchronization
  int arrived = 0;          // lanes at the present rendezvous, and which it is
  Word word = Word::none;
  int line = 0;
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
  void copy_async(HostThread&, int offset, const void* source, int bytes, int line);
  void copy_commit(HostThread&, int line);
  void copy_wait(HostThread&, int pending, int line);
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
    Access other;
    if (launch_.check_races)
      if (const Conflict conflict = shadow_.read(offset, bytes, stamp(thread, line), other); conflict != Conflict::none)
        fail_order(conflict, word, thread, offset, bytes, line, other);
    return shared_.data() + offset;
  }

 private:
  static void start(boost::context::detail::transfer_t from);
  static std::uint16_t clamped(int line) { return static_cast<std::uint16_t>(line < max_lines ? line : max_lines - 1); }

  void begin(std::int64_t block);
  void abandon_copies();
  std::uint64_t draw();
  Fiber* pick();
  void switch_to(Fiber& to, boost::context::detail::fcontext_t* saved);
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
    return {warps_[static_cast<std::size_t>(thread / host_warp_size)].time, static_cast<std::uint16_t>(thread),
            clamped(line)};
  }
  void deliver(PendingCopy& copy);
  void deliver_some(Fiber& me, std::uint64_t random);
  std::string report() const;  // of failure_
  std::string where_threads_are(int first, int last) const;

  BlockLaunch launch_{};
  Arena arena_;
  Shadow shadow_;
  std::vector<unsigned char> shared_;
  std::vector<Fiber> fibers_;
  std::array<Warp, max_block_threads / host_warp_size> warps_{};
  boost::context::detail::fcontext_t main_ = nullptr, discarded_ = nullptr;
  Failure failure_{};
  std::array<std::uint64_t, max_lines / 64> visited_{};
  std::uint64_t random_ = 1, stay_mask_ = 0;
  std::uint32_t ready_warps_ = 0, clock_ = 1;
  int running_ = 0, current_warp_ = 0, warps_at_barrier_ = 0;
};

const char* name_of(Word word);
extern const HostInterface host_words;  // the table that a module is bound to

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Words that read and write global memory, and the global side of copies.
#include "runtime/cpu/block.hpp"

namespace rankone {

// Where no tensors are named, only the address itself can be looked at.
void* Block::check_global(Word word, int thread, GlobalUse&& use, int line) {
  GlobalMemory* const memory = launch_.memory;
  if (memory == nullptr) {
    if (reinterpret_cast<std::uintptr_t>(use.place) % static_cast<std::uintptr_t>(use.alignment) != 0)
      fail({.kind = FailureKind::misaligned_place,
            .word = word,
            .thread = thread,
            .line = line,
            .bytes = use.alignment});
    return const_cast<void*>(use.place);
  }
  use.cluster = cluster_;
  use.stamp = stamp(thread, line);
  const GlobalFinding finding = memory->touch(use, launch_.check_races, [&](Access earlier) {
    return launch_.parts ? clocks_.follows(earlier, thread) : shadow_.ordered(earlier, use.stamp);
  });
  if (finding.fault != GlobalFault::none)
    fail({.kind = FailureKind::global, .word = word, .thread = thread, .line = line, .global = finding});
  return GlobalMemory::plain(use.place);
}

const void* Block::global_load(HostThread& thread, const void* place, int bytes, int line) {
  return check_global(Word::global_load, thread.index, {.place = place, .bytes = bytes, .alignment = bytes}, line);
}

void* Block::global_store(HostThread& thread, void* place, int bytes, int line) {
  return check_global(Word::global_store, thread.index,
                      {.place = place, .bytes = bytes, .alignment = bytes, .writes = true}, line);
}

// What an asynchronous copy reads, from its issue until finish_global_read().
const void* Block::begin_global_read(Word word, int thread, const void* place, std::int64_t bytes, int alignment,
                                     bool bulk, int line) {
  return check_global(word, thread,
                      {.place = place, .bytes = bytes, .alignment = alignment, .lasts = true, .bulk = bulk}, line);
}

void Block::finish_global_read(const void* place, std::int64_t bytes, int thread, int line, Access done) {
  if (launch_.memory == nullptr || !launch_.check_races) return;
  launch_.memory->finish_read({.place = place, .bytes = bytes, .cluster = cluster_, .stamp = stamp(thread, line)},
                              done);
}

}  // namespace rankone

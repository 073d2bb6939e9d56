// SPDX-License-Identifier: MIT
// Fiber stacks: slot 0 of the arena holds the threads' records, slot i + 1 the stack of thread i over a guard page.
#include "runtime/cpu/arena.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <rankone/error.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define RANKONE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RANKONE_ASAN 1
#endif
#endif
#ifdef RANKONE_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace rankone {
namespace {

static_assert(sizeof(HostThread) * host_arena_slots <= host_slot_bytes);

// Stacks that lie a power of two apart would share cache sets: each starts a little further down.
std::size_t color(int thread) { return static_cast<std::size_t>(thread) * 17 * 64 % (32 << 10); }

std::size_t page_bytes() {
  static const std::size_t bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

[[noreturn]] void refuse(const char* what) {
  throw Error(ErrorCode::unsupported, std::string("the system gives no memory for fiber stacks (") + what + ")",
              std::strerror(errno), "address space and memory for them", "CPU device");
}

}  // namespace

Arena::Arena() {
  // Twice the size always holds an aligned part; the rest goes back.
  void* mapped = ::mmap(nullptr, 2 * host_arena_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) refuse("mmap");
  auto* const first = static_cast<unsigned char*>(mapped);
  const std::size_t before =
      (host_arena_bytes - reinterpret_cast<std::uintptr_t>(first) % host_arena_bytes) % host_arena_bytes;
  base_ = first + before;
  if (before) ::munmap(first, before);
  if (before != host_arena_bytes) ::munmap(base_ + host_arena_bytes, host_arena_bytes - before);
  if (::mprotect(base_, host_slot_bytes, PROT_READ | PROT_WRITE)) {
    ::munmap(base_, host_arena_bytes);
    refuse("mprotect");
  }
}

Arena::~Arena() { ::munmap(base_, host_arena_bytes); }

void Arena::reserve(int threads) {
  for (; reserved_ < threads; ++reserved_)
    if (::mprotect(slot(reserved_) + page_bytes(), host_slot_bytes - page_bytes(), PROT_READ | PROT_WRITE))
      refuse("mprotect");
}

HostThread& Arena::record(int thread) { return reinterpret_cast<HostThread*>(base_)[thread + 1]; }
void* Arena::stack_top(int thread) const { return slot(thread) + host_slot_bytes - color(thread); }
std::size_t Arena::stack_bytes(int thread) const { return host_slot_bytes - color(thread) - page_bytes(); }

void Arena::unpoison([[maybe_unused]] int threads) const {
#ifdef RANKONE_ASAN
  for (int i = 0; i < threads; ++i)
    __asan_unpoison_memory_region(slot(i) + page_bytes(), host_slot_bytes - page_bytes());
#endif
}

}  // namespace rankone

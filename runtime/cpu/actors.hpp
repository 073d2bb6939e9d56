// SPDX-License-Identifier: MIT
// Who wrote and read each cell of a piece of global memory last, for kernels whose blocks run on several cores.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "runtime/cpu/shadow.hpp"

namespace rankone {

// A thread of a cluster of one kernel of a call, when it came by.
struct Actor {
  static constexpr std::uint32_t lasting = Shadow::under_way;
  std::uint32_t kernel = 0;  // from 1; 0: nobody
  std::uint32_t cluster = 0;
  Access access{};
  bool lasts() const { return access.time == lasting; }
};

// Readers of a cell beside its first.
using MoreReaders = std::unordered_map<std::size_t, std::vector<Actor>>;

// A cell, locked.
struct CellView {
  std::size_t index;
  Actor *writer, *reader;
  MoreReaders* more;

  // Keeps every reader that a later writer could miss: `settled` ones come before the new one, and whoever comes after
  // that comes after them. Of readers in several clusters two are enough: any writer misses one of them.
  template <class Settled> void note_reader(const Actor& now, const Settled& settled) {
    if (reader->kernel != now.kernel || settled(*reader)) {
      *reader = now;
      if (auto at = find(); at != more->end()) std::erase_if(at->second, settled);
      return;
    }
    std::vector<Actor>& others = (*more)[index];
    const auto own = [&](const Actor& each) { return each.cluster == now.cluster; };
    const auto of_reader = [&](const Actor& each) { return each.cluster == reader->cluster; };
    if (!std::all_of(others.begin(), others.end(), of_reader)) return;
    if (own(*reader)) std::erase_if(others, settled);
    others.push_back(now);
  }
  template <class Visit> bool all_readers(const Visit& visit) const {
    if (reader->kernel != 0 && !visit(*reader)) return false;
    const auto at = find();
    return at == more->end() || std::all_of(at->second.begin(), at->second.end(), visit);
  }
  void forget_readers() {
    if (reader->kernel == 0) return;  // so that pages of cells that are only written stay untouched
    *reader = {};
    more->erase(index);
  }
  MoreReaders::iterator find() const { return more->empty() ? more->end() : more->find(index); }
};

// Addresses from `begin` to `end`, a cell for each `1 << shift` bytes.
class Storage {
 public:
  Storage(std::uintptr_t begin, std::uintptr_t end, int shift)
      : begin_(begin / stripe_bytes * stripe_bytes), shift_(shift), writers_(reserved(((end - begin_) >> shift) + 1)),
        readers_(reserved(((end - begin_) >> shift) + 1)) {}

  // Calls visit(cell) for each that the bytes touch, until it answers false.
  template <class Visit> void each_cell(const void* address, std::int64_t bytes, const Visit& visit) {
    const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(address) - begin_;
    const std::size_t last = (first + static_cast<std::uintptr_t>(bytes) - 1) >> shift_;
    bool more = true;
    for (std::size_t cell = first >> shift_; more && cell <= last;) {
      const std::size_t row = (cell << shift_) / stripe_bytes;
      Stripe& stripe = stripes_[row % stripes_.size()];
      const Guard guard(stripe.busy);
      for (; more && cell <= last && (cell << shift_) / stripe_bytes == row; ++cell)
        more = visit(CellView{cell, &writers_[cell], &readers_[cell], &stripe.more});
    }
  }

 private:
  static constexpr std::uintptr_t stripe_bytes = 256;
  struct Stripe {
    std::atomic_flag busy;
    MoreReaders more;
  };
  struct Guard {
    std::atomic_flag& flag;
    explicit Guard(std::atomic_flag& busy) : flag(busy) {
      while (flag.test_and_set(std::memory_order_acquire)) flag.wait(true, std::memory_order_relaxed);
    }
    Guard(const Guard&) = delete;
    ~Guard() {
      flag.clear(std::memory_order_release);
      flag.notify_one();
    }
  };
  struct Unmap {
    std::size_t bytes;
    void operator()(Actor* cells) const { munmap(cells, bytes); }
  };
  using Cells = std::unique_ptr<Actor[], Unmap>;
  // Zeros that take memory where they are touched: of a tensor with wide strides most cells never are. A few pages come
  // at once, which costs less than a fault for each, and one more where it is read before it is written.
  static Cells reserved(std::size_t cells) {
    constexpr std::size_t few = 4 << 20;
    const std::size_t bytes = cells * sizeof(Actor);
    const int at_once = bytes <= few ? MAP_POPULATE : MAP_NORESERVE;
    void* const place = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | at_once, -1, 0);
    if (place == MAP_FAILED) throw std::bad_alloc();
    return Cells(static_cast<Actor*>(place), Unmap{bytes});
  }

  std::uintptr_t begin_;
  int shift_;
  Cells writers_, readers_;
  std::array<Stripe, 64> stripes_;
};

}  // namespace rankone

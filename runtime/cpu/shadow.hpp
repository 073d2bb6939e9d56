// SPDX-License-Identifier: MIT
// What happened to each part of a block's shared memory, and whether the next access is ordered after it.
//
// Of kernels whose parts do not synchronize alone (see CausalShadow): two words order threads, sync_block all of them,
// sync_warp the 32 lanes of a warp. So one counter serves as clock: it ticks at each of them, an access is stamped
// with the tick of its warp's last one, and an earlier access is ordered before a later one if it is older than the
// last sync_block, or is the same thread's, or is the same warp's and older than that warp's last sync. No vector
// clocks are needed, and stamps of former blocks read as "never written".
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rankone {

enum class Conflict : unsigned char {
  none,
  write_read,
  write_write,
  read_write,
  unwritten,
  copy_under_way,
  unfenced,
  unfenced_before,
  product_under_way,
  send_under_way,
  store_under_way
};

struct Access {
  std::uint32_t time = 0;
  std::uint16_t thread = 0, line = 0;
};

class Shadow {
 public:
  // The stamp of bytes that a copy is to write: newer than all others until its thread has waited for it.
  static constexpr std::uint32_t under_way = 0xffffffffu;

  void resize(int bytes, int granule) {
    shift_ = granule == 1 ? 0 : granule == 2 ? 1 : 2;
    const std::size_t cells = (static_cast<std::size_t>(bytes) >> shift_) + 16;
    if (cells_.size() < cells) cells_.resize(cells);
  }
  void clear() { std::fill(cells_.begin(), cells_.end(), Cell{}); }
  void begin_block(std::uint32_t now) { begin_ = ordered_ = now; }
  void block_synchronized(std::uint32_t now) { ordered_ = now; }

  // Each returns what is wrong; `other` is then the earlier access.
  Conflict read(int offset, int bytes, Access now, Access& other) {
    for (Cell *cell = first(offset), *end = last(cell, bytes); cell != end; ++cell) {
      if (cell->writer.time >= ordered_) {
        other = cell->writer;
        if (other.time == under_way) return Conflict::copy_under_way;
        if (!follows(other, now)) return Conflict::write_read;
      } else if (cell->writer.time < begin_) {
        return Conflict::unwritten;
      }
      note_reader(*cell, now);
    }
    return Conflict::none;
  }
  Conflict write(int offset, int bytes, Access now, Access& other) {
    return write_as(offset, bytes, now, now.time, other);
  }
  Conflict begin_copy(int offset, int bytes, Access now, Access& other) {
    return write_as(offset, bytes, now, under_way, other);
  }
  void end_copy(int offset, int bytes, Access now) {
    for (Cell *cell = first(offset), *end = last(cell, bytes); cell != end; ++cell) cell->writer = now;
  }

  // Whether an access of this block comes before one that `now` stamps.
  bool ordered(Access earlier, Access now) const { return earlier.time < ordered_ || follows(earlier, now); }

 private:
  struct Cell {
    Access writer, reader, second_reader;
  };

  Cell* first(int offset) { return cells_.data() + (offset >> shift_); }
  Cell* last(Cell* first, int bytes) const { return first + std::max(1, bytes >> shift_); }

  // Whether `earlier`, newer than the last sync_block, is ordered before `now`.
  static bool follows(Access earlier, Access now) {
    return earlier.thread == now.thread || (earlier.thread / 32 == now.thread / 32 && earlier.time < now.time);
  }

  // Two readers are enough to convict every later writer that some reader would: of two warps, any two; of one warp,
  // two lanes since its last sync, or else the latest.
  void note_reader(Cell& cell, Access now) const {
    Access &one = cell.reader, &two = cell.second_reader;
    if (one.time < ordered_) {
      one = now;
      two = {};
      return;
    }
    const bool has_two = two.time >= ordered_;
    if (has_two && one.thread / 32 != two.thread / 32) return;
    // NOLINTNEXTLINE(bugprone-branch-clone): the order of the cases counts
    if (one.thread / 32 != now.thread / 32) {
      two = now;
    } else if (one.time < now.time) {
      one = now;
      two = {};
    } else if (!has_two && one.thread != now.thread) {
      two = now;
    }
  }

  Conflict write_as(int offset, int bytes, Access now, std::uint32_t time, Access& other) {
    for (Cell *cell = first(offset), *end = last(cell, bytes); cell != end; ++cell) {
      if (cell->writer.time >= ordered_) {
        other = cell->writer;
        if (other.time == under_way) return Conflict::copy_under_way;
        if (!follows(other, now)) return Conflict::write_write;
      }
      if (cell->reader.time >= ordered_) {
        other = cell->reader;
        if (!follows(other, now)) return Conflict::read_write;
        other = cell->second_reader;
        if (other.time >= ordered_ && !follows(other, now)) return Conflict::read_write;
      }
      cell->writer = {time, now.thread, now.line};
    }
    return Conflict::none;
  }

  std::vector<Cell> cells_;
  int shift_ = 2;
  std::uint32_t begin_ = 1, ordered_ = 1;  // ticks of the block's begin and of its last sync_block
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The shadow of blocks whose parts synchronize alone: as Shadow, with vector clocks for the order, every reader kept
// that a later writer could miss, and reads by the tensor cores, by bulk stores and by what is sent to other blocks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "runtime/cpu/clocks.hpp"
#include "runtime/cpu/shadow.hpp"

namespace rankone {

class CausalShadow {
 public:
  static constexpr std::uint32_t under_way = Shadow::under_way;

  void resize(int bytes, int granule) {
    shift_ = granule == 1 ? 0 : granule == 2 ? 1 : 2;
    cells_.resize((static_cast<std::size_t>(bytes) >> shift_) + 16);
  }
  void begin_block(std::uint32_t now) {
    std::fill(cells_.begin(), cells_.end(), Cell{});
    free_.clear();
    for (std::size_t i = 0; i < sets_.size(); ++i) free_.push_back(static_cast<int>(i));
    begin_ = ordered_ = now;
  }
  void block_synchronized(std::uint32_t now) { ordered_ = now; }

  Conflict read(const Clocks& clocks, int offset, int bytes, Access now, Access& other) {
    for (Cell *cell = first(offset), *end = last(cell, bytes); cell != end; ++cell) {
      other = cell->writer;
      if (other.time >= ordered_) {
        if (other.time == under_way) return Conflict::copy_under_way;
        if (!clocks.follows(other, now.thread)) return Conflict::write_read;
      } else if (other.time < begin_) {
        return Conflict::unwritten;
      }
      note_reader(clocks, *cell, now);
    }
    return Conflict::none;
  }
  // By a product or a send of the threads that meet() was last asked for; `now` is in the column of these.
  Conflict read_by_product(const Clocks& clocks, int offset, int bytes, Access now, Access& other) {
    for (Cell *cell = first(offset), *end = last(cell, bytes); cell != end; ++cell) {
      other = cell->writer;
      if (other.time < begin_) return Conflict::unwritten;
      if (other.time == under_way) return Conflict::copy_under_way;
      if (other.time >= ordered_ && !clocks.all_know(other.thread, other.time)) return Conflict::write_read;
      if (!clocks.all_know_fenced(other)) return Conflict::unfenced;
      note_reader(clocks, *cell, now);
    }
    return Conflict::none;
  }
  Conflict write(const Clocks& clocks, int offset, int bytes, Access now, Access& other) {
    return write_as(clocks, offset, bytes, now, now.time, other);
  }
  Conflict begin_copy(const Clocks& clocks, int offset, int bytes, Access now, Access& other) {
    return write_as(clocks, offset, bytes, now, under_way, other);
  }
  // By the proxy of bulk copies: a fence must stand between what threads did there and it.
  Conflict begin_bulk_copy(const Clocks& clocks, int offset, int bytes, Access now, Access& other) {
    return write_as<true>(clocks, offset, bytes, now, under_way, other);
  }
  void end_copy(int offset, int bytes, Access now) {
    for (Cell *cell = first(offset), *end = last(cell, bytes); cell != end; ++cell) cell->writer = now;
  }
  bool last_written_by(int offset, int bytes, Access access) {
    return std::all_of(first(offset), last(first(offset), bytes), [&](const Cell& cell) {
      return cell.writer.thread == access.thread && cell.writer.time == access.time && cell.writer.line == access.line;
    });
  }

 private:
  struct Cell {
    Access writer, reader;
    int more = -1;  // set of readers, then `reader` does not count
  };
  // A few readers as a list, many by thread.
  struct Readers {
    std::vector<Access> list;
    bool by_thread = false;
  };

  Cell* first(int offset) { return cells_.data() + (offset >> shift_); }
  Cell* last(Cell* first, int bytes) const { return first + std::max(1, bytes >> shift_); }

  // Nothing, or ordered by the last sync_block; that one does not wait for products.
  bool settled(const Clocks& clocks, Access reader) const {
    return reader.time < ordered_ && (reader.time == 0 || reader.thread < clocks.threads());
  }
  // Whether a writer that comes after `now` cannot miss `earlier`. That a product comes after something is known to
  // whoever waits for it, yet its time is in no thread's row: only its own column's reads are dropped.
  bool covered(const Clocks& clocks, Access earlier, Access now) const {
    if (settled(clocks, earlier) || earlier.thread == now.thread) return true;
    return now.thread < clocks.threads() && clocks.follows(earlier, now.thread);
  }
  void note_reader(const Clocks& clocks, Cell& cell, Access now) {
    if (cell.more < 0) {
      if (covered(clocks, cell.reader, now)) {
        cell.reader = now;
        return;
      }
      if (free_.empty()) {
        free_.push_back(static_cast<int>(sets_.size()));
        sets_.emplace_back();
      }
      cell.more = free_.back();
      free_.pop_back();
      Readers& readers = sets_[static_cast<std::size_t>(cell.more)];
      readers.by_thread = false;
      readers.list.assign({cell.reader, now});
      return;
    }
    constexpr std::size_t few = 16;
    Readers& readers = sets_[static_cast<std::size_t>(cell.more)];
    if (readers.by_thread) {
      readers.list[now.thread] = now;
      return;
    }
    std::erase_if(readers.list, [&](Access each) { return covered(clocks, each, now); });
    readers.list.push_back(now);
    if (readers.list.size() > few) {
      std::vector<Access> all(clocks.width());
      for (const Access each : readers.list) all[each.thread] = each;
      readers = {std::move(all), true};
    }
  }
  template <bool fenced = false>
  Conflict write_as(const Clocks& clocks, int offset, int bytes, Access now, std::uint32_t time, Access& other) {
    const auto missed = [&](Access reader) {
      other = reader;
      return !settled(clocks, reader) && !clocks.follows(reader, now.thread);
    };
    const auto unfenced = [&](Access earlier) {
      other = earlier;
      return fenced && earlier.time >= begin_ && !clocks.fenced_before(earlier, now.thread);
    };
    const auto kind = [&] {
      if (other.thread < clocks.threads()) return Conflict::read_write;
      if (clocks.is_product(other.thread)) return Conflict::product_under_way;
      return clocks.is_store(other.thread) ? Conflict::store_under_way : Conflict::send_under_way;
    };
    for (Cell *cell = first(offset), *end = last(cell, bytes); cell != end; ++cell) {
      other = cell->writer;
      if (other.time >= ordered_) {
        if (other.time == under_way) return Conflict::copy_under_way;
        if (!clocks.follows(other, now.thread)) return Conflict::write_write;
      }
      if (unfenced(other)) return Conflict::unfenced_before;
      if (cell->more >= 0) {
        for (const Access reader : sets_[static_cast<std::size_t>(cell->more)].list) {
          if (missed(reader)) return kind();
          if (unfenced(reader)) return Conflict::unfenced_before;
        }
        free_.push_back(cell->more);
        cell->more = -1;
      } else if (missed(cell->reader)) {
        return kind();
      } else if (unfenced(cell->reader)) {
        return Conflict::unfenced_before;
      }
      cell->reader = {};
      cell->writer = {time, now.thread, now.line};
    }
    return Conflict::none;
  }

  std::vector<Cell> cells_;
  std::vector<Readers> sets_;
  std::vector<int> free_;
  int shift_ = 2;
  std::uint32_t begin_ = 1, ordered_ = 1;
};

}  // namespace rankone

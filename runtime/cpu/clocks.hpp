// SPDX-License-Identifier: MIT
// Vector clocks: which accesses of which threads each thread comes after, in blocks whose parts synchronize alone.
//
// Times are ticks of the block's one counter. A thread's accesses bear the tick of its last release; its row holds, for
// each other thread, the latest such time that it comes after. Rows are shared, counted, and copied only to change,
// since the lanes of a warp mostly know the same. Behind the threads' columns each warpgroup has one for its products,
// which read shared memory on their own time: who knows that time knows that the products are done. So has each warp
// one for copies that announce themselves, one for what bulk copies and other blocks' sends bring, and one for what its
// bulk stores read.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/cpu/shadow.hpp"

namespace rankone {

class Clocks {
 public:
  void begin(int threads, std::uint32_t now) {
    threads_ = threads;
    groups_ = (threads + 127) / 128;
    warps_ = (threads + 31) / 32;
    const auto width = static_cast<std::size_t>(threads + groups_ + 3 * warps_);
    if (width != width_) rows_.clear();
    width_ = width;
    free_.clear();
    for (std::size_t i = 0; i < rows_.size(); ++i) free_.push_back(static_cast<int>(i));
    memos_.fill({});
    followed_ = {};
    const int row = fresh();
    std::fill_n(values(row), width_, 0u);
    rows_[static_cast<std::size_t>(row)].holders = threads;
    base_.assign(static_cast<std::size_t>(threads), row);
    own_.assign(static_cast<std::size_t>(threads), now);
    fences_.resize(static_cast<std::size_t>(threads));
    for (auto& each : fences_) each.clear();
    known_at_fence_.resize(static_cast<std::size_t>(threads));
    for (auto& each : known_at_fence_) each.clear();
    fencer_ = 0;
    has_copies_ = false;
  }

  int threads() const { return threads_; }
  std::size_t width() const { return width_; }
  std::uint32_t time(int thread) const { return own_[static_cast<std::size_t>(thread)]; }
  bool follows(Access earlier, int thread) const {
    return earlier.thread == thread || knows(base_[static_cast<std::size_t>(thread)], earlier.thread, earlier.time);
  }

  // All threads of these warps come after each other.
  void synchronize(std::uint64_t warps, std::uint32_t now) {
    const int first = __builtin_ctzll(warps) * 32;
    const int common = base_[static_cast<std::size_t>(first)];
    int same = 0, all = 0;
    each_thread(warps, [&](int t) { ++all, same += base_[static_cast<std::size_t>(t)] == common; });
    int row = common;
    if (same != all || rows_[static_cast<std::size_t>(common)].holders != all) {
      row = copy(common);
      int joined = common;
      each_thread(warps, [&](int t) {
        const int base = base_[static_cast<std::size_t>(t)];
        if (base != joined) join(row, base);
        joined = base;
      });
    } else {
      rows_[static_cast<std::size_t>(row)].version = ++versions_;
    }
    std::uint32_t* const known = values(row);
    each_thread(warps, [&](int t) {
      known[t] = time(t);
      own_[static_cast<std::size_t>(t)] = now;
      if (row != common || same != all) stand(t, row);
    });
    if (row != common) drop(row);  // the hold that copy() gave
  }

  // A row of its own for what synchronizes in two steps.
  int new_row() {
    const int row = fresh();
    std::fill_n(values(row), width_, 0u);
    return row;
  }
  int copy(int row) {
    const int result = fresh();
    std::copy_n(values(row), width_, values(result));
    return result;
  }
  void drop(int row) {
    if (--rows_[static_cast<std::size_t>(row)].holders == 0) free_.push_back(row);
  }
  void release(int thread, int into, std::uint32_t now) {
    const int base = base_[static_cast<std::size_t>(thread)];
    Row& target = rows_[static_cast<std::size_t>(into)];
    const std::uint64_t version = rows_[static_cast<std::size_t>(base)].version;
    if (target.joined != version) join(into, base);
    target.joined = version;
    target.version = ++versions_;
    values(into)[thread] = time(thread);
    own_[static_cast<std::size_t>(thread)] = now;
  }
  void acquire(int thread, int from) {
    const int base = base_[static_cast<std::size_t>(thread)];
    const std::uint64_t old = rows_[static_cast<std::size_t>(base)].version;
    const std::uint64_t added = rows_[static_cast<std::size_t>(from)].version;
    Memo& memo = memos_[(old * 31 + added) % memos_.size()];
    if (memo.row < 0 || memo.old != old || memo.added != added) {
      if (memo.row >= 0) drop(memo.row);
      memo = {copy(base), old, added};
      join(memo.row, from);
    }
    stand(thread, memo.row);
  }

  // Whether a thread comes after all that a row knows.
  bool follows_row(int thread, int row) {
    const Row& mine = rows_[static_cast<std::size_t>(base_[static_cast<std::size_t>(thread)])];
    const Row& all = rows_[static_cast<std::size_t>(row)];
    if (followed_.old == mine.version && followed_.added == all.version) return true;
    int missing = 0;
    for (std::size_t i = 0; i < width_; ++i) missing += mine.known[i] < all.known[i];
    if (missing == 0) followed_ = {row, mine.version, all.version};
    const auto self = static_cast<std::size_t>(thread);
    return missing == 0 || (missing == 1 && mine.known[self] < all.known[self]);
  }

  // The threads from `first` on know that the products of their warpgroup up to `done` are.
  void finish_products(int first, int count, std::uint32_t done) {
    int before = -1, after = -1;
    for (int t = first; t < first + count; ++t) {
      if (const int base = base_[static_cast<std::size_t>(t)]; base != before) {
        if (after >= 0) drop(after), drop(before);
        before = base;
        ++rows_[static_cast<std::size_t>(before)].holders;  // so that its number is not given out again meanwhile
        after = copy(base);
        values(after)[product_column(first)] = done;
      }
      stand(t, after);
    }
    drop(after), drop(before);
  }
  // One thread knows that what its column says is done.
  void learn(int thread, int column, std::uint32_t time) {
    const int row = copy(base_[static_cast<std::size_t>(thread)]);
    values(row)[column] = std::max(values(row)[column], time);
    stand(thread, row);
    drop(row);  // the hold that copy() gave
  }
  std::uint16_t product_column(int thread) const { return static_cast<std::uint16_t>(threads_ + thread / 128); }
  std::uint16_t copy_column(int thread) const { return static_cast<std::uint16_t>(threads_ + groups_ + thread / 32); }
  std::uint16_t send_column(int thread) const { return static_cast<std::uint16_t>(copy_column(thread) + warps_); }
  std::uint16_t store_column(int thread) const { return static_cast<std::uint16_t>(send_column(thread) + warps_); }
  bool is_product(int column) const { return column >= threads_ && column < threads_ + groups_; }
  bool is_send(int column) const { return column >= threads_ + groups_ + warps_; }
  bool is_store(int column) const { return column >= threads_ + groups_ + 2 * warps_; }
  // One of the threads whose column it is.
  int thread_of(int column) const {
    if (column < threads_) return column;
    if (is_product(column)) return (column - threads_) * 128;
    return (column - threads_ - groups_) % warps_ * 32;
  }
  // A row learns of something that happened on its own time.
  void know(int row, int column, std::uint32_t time) {
    has_copies_ = has_copies_ || !is_send(column);
    std::uint32_t& known = values(row)[column];
    known = std::max(known, time);
    rows_[static_cast<std::size_t>(row)].version = ++versions_;
  }

  void fence(int thread, std::uint32_t now) {
    fences_[static_cast<std::size_t>(thread)].push_back(now);
    own_[static_cast<std::size_t>(thread)] = now;
    const int row = base_[static_cast<std::size_t>(thread)];
    ++rows_[static_cast<std::size_t>(row)].holders;  // as it is now, to the end of the block
    known_at_fence_[static_cast<std::size_t>(thread)].push_back({now, row});
  }

  // What all of some threads know: asked for often, so worked out once.
  void meet(int first, int count) {
    meet_fences(first, count);
    views_.clear();
    for (int t = first; t < first + count; ++t) {
      const int row = base_[static_cast<std::size_t>(t)];
      const auto at = std::find_if(views_.rbegin(), views_.rend(), [row](const View& v) { return v.row == row; });
      if (at == views_.rend()) {
        views_.push_back({row, t, 1});
      } else {
        ++at->count;
      }
    }
    met_.assign(values(views_.front().row), values(views_.front().row) + width_);
    for (std::size_t i = 1; i < views_.size(); ++i) {
      const std::uint32_t* const known = values(views_[i].row);
      for (std::size_t j = 0; j < width_; ++j) met_[j] = std::min(met_[j], known[j]);
    }
    // A thread's own doings stand in no row of its own until it waits for them.
    for (const View& alone : views_) {
      if (alone.count != 1) continue;
      std::uint32_t others = time(alone.thread);
      for (const View& view : views_)
        if (view.row != alone.row) others = std::min(others, values(view.row)[alone.thread]);
      met_[static_cast<std::size_t>(alone.thread)] = others;
    }
  }
  bool all_know(int thread, std::uint32_t time) const { return met_[static_cast<std::size_t>(thread)] >= time; }
  // Whether all come after a fence of the writer that came after its write.
  bool all_know_fenced(Access write) const {
    if (is_send(write.thread)) return true;
    if (write.thread >= threads_) return fenced_by_a_reader(write);
    const auto& fences = fences_[write.thread];
    if (fences.empty() || fences.back() <= write.time) return false;
    return all_know(write.thread, fences.back()) ||
           all_know(write.thread, *std::upper_bound(fences.begin(), fences.end(), write.time));
  }

  // Whether what a thread did, or its copy, is fenced before `thread` copies by the other proxy: by who did it, or by
  // that thread, which comes after it. What that proxy did itself needs none.
  bool fenced_before(Access earlier, int thread) const {
    const bool announced = !is_product(earlier.thread) && !is_send(earlier.thread) && earlier.thread >= threads_;
    if (earlier.thread >= threads_ && !announced) return true;
    const auto& own = known_at_fence_[static_cast<std::size_t>(thread)];
    if (!own.empty() && earlier.thread != thread && knows(own.back().row, earlier.thread, earlier.time)) return true;
    if (announced) return false;
    return fenced_by_writer(earlier, thread);
  }
  // The same, by a fence of who did it.
  bool fenced_by_writer(Access earlier, int thread) const {
    const auto& theirs = fences_[earlier.thread];
    const auto first = std::upper_bound(theirs.begin(), theirs.end(), earlier.time);
    return first != theirs.end() &&
           (earlier.thread == thread || knows(base_[static_cast<std::size_t>(thread)], earlier.thread, *first));
  }

 private:
  // Of each warp's copies, those that every one of some threads has fenced itself.
  void meet_fences(int first, int count) {
    if (!has_copies_) return;
    own_fenced_.assign(static_cast<std::size_t>(warps_), ~0u);
    for (int t = first; t < first + count; ++t) {
      const auto& all = known_at_fence_[static_cast<std::size_t>(t)];
      for (int warp = 0; warp < warps_; ++warp) {
        std::uint32_t& fenced = own_fenced_[static_cast<std::size_t>(warp)];
        if (fenced != 0) fenced = all.empty() ? 0 : std::min(fenced, values(all.back().row)[threads_ + groups_ + warp]);
      }
    }
  }
  // A copy that announced itself is fenced by whoever has waited for it: by each reader, or by one that all come after.
  bool fenced_by_a_reader(Access write) const {
    if (own_fenced_[static_cast<std::size_t>(write.thread - threads_ - groups_)] >= write.time) return true;
    const auto fenced_by = [&](std::size_t thread) {
      const auto& all = known_at_fence_[thread];
      const auto first = std::partition_point(
          all.begin(), all.end(), [&](const FenceRow& each) { return !knows(each.row, write.thread, write.time); });
      return first != all.end() && all_know(static_cast<int>(thread), first->time);
    };
    if (fenced_by(fencer_)) return true;
    for (std::size_t thread = 0; thread < known_at_fence_.size(); ++thread) {
      if (!fenced_by(thread)) continue;
      fencer_ = thread;
      return true;
    }
    return false;
  }

  // What a thread knew when it fenced.
  struct FenceRow {
    std::uint32_t time;
    int row;
  };
  // One row that several threads stand on.
  struct View {
    int row, thread, count;  // `thread`: one of them
  };
  struct Row {
    std::unique_ptr<std::uint32_t[]> known;
    int holders = 0;
    std::uint64_t version = 0, joined = 0;  // `version` names its content; `joined`: that of the row joined last
  };
  struct Memo {  // of an acquire(): lanes that stand on one row do the same, more or less one after the other
    int row = -1;
    std::uint64_t old = 0, added = 0;
  };

  std::uint32_t* values(int row) { return rows_[static_cast<std::size_t>(row)].known.get(); }
  bool knows(int row, int thread, std::uint32_t time) const {
    return rows_[static_cast<std::size_t>(row)].known[static_cast<std::size_t>(thread)] >= time;
  }
  int fresh() {
    if (free_.empty()) {
      free_.push_back(static_cast<int>(rows_.size()));
      rows_.push_back({std::make_unique<std::uint32_t[]>(width_)});
    }
    const int row = free_.back();
    free_.pop_back();
    Row& r = rows_[static_cast<std::size_t>(row)];
    r.holders = 1;
    r.version = ++versions_;
    r.joined = 0;
    return row;
  }
  void join(int into, int from) {
    std::uint32_t* const a = values(into);
    const std::uint32_t* const b = values(from);
    for (std::size_t i = 0; i < width_; ++i) a[i] = std::max(a[i], b[i]);
  }
  void stand(int thread, int row) {
    int& base = base_[static_cast<std::size_t>(thread)];
    ++rows_[static_cast<std::size_t>(row)].holders;
    drop(base);
    base = row;
  }
  template <class Do> static void each_thread(std::uint64_t warps, Do act) {
    for (; warps; warps &= warps - 1)
      for (int first = __builtin_ctzll(warps) * 32, t = first; t < first + 32; ++t) act(t);
  }

  int threads_ = 0, groups_ = 0, warps_ = 0;
  std::size_t width_ = 0;
  std::vector<Row> rows_;
  std::vector<int> free_, base_;
  std::vector<std::uint32_t> own_;
  std::vector<std::vector<std::uint32_t>> fences_;
  std::vector<std::vector<FenceRow>> known_at_fence_;
  std::vector<std::uint32_t> own_fenced_;
  mutable std::size_t fencer_ = 0;  // the last one that served
  bool has_copies_ = false;         // that announce themselves
  std::array<Memo, 16> memos_{};
  Memo followed_{};  // of follows_row()
  std::vector<View> views_;
  std::vector<std::uint32_t> met_;
  std::uint64_t versions_ = 0;
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Words of a warpgroup: asynchronous products, and what orders them.
#include <cstring>

#include "runtime/cpu/block.hpp"
#include "templates/host/keywords.hpp"
#include "templates/host/numbers.hpp"

namespace rankone {
namespace {

constexpr unsigned poison = 0xffffffffu;  // a NaN

const HostWarpgroupProduct& product_of(const Fiber& thread) {
  return *static_cast<const HostWarpgroupProduct*>(thread.operands);
}

bool same(const HostMatrix& a, const HostMatrix& b) {
  return a.offset == b.offset && a.leading_bytes == b.leading_bytes && a.stride_bytes == b.stride_bytes &&
         a.steps_adjacent == b.steps_adjacent && a.swizzled == b.swizzled;
}

float value_of(HostProduct type, unsigned bits) {
  return type == HostProduct::bf16 ? as_float(bits << 16) : float_from_f16_bits(bits & 0xffffu);
}

// Where the 16 bytes lie that begin with element (row, step).
int place_of(const HostMatrix& m, int row, int step) {
  int place = m.offset;
  if (!m.steps_adjacent) {
    place += row % 64 * 2 + row / 64 * m.leading_bytes + step % 8 * 128 + step / 8 * m.stride_bytes;
  } else if (m.swizzled) {
    place += row % 8 * 128 + row / 8 * m.stride_bytes + step * 2;
  } else {
    place += row % 8 * 16 + row / 8 * m.stride_bytes + step / 8 * m.leading_bytes;
  }
  return m.swizzled ? place ^ (place >> 3 & 0x70) : place;
}

// Calls act(place, row, step) for each 16 bytes.
template <class Act> void each_unit(const HostMatrix& m, int rows, Act act) {
  const int row_step = m.steps_adjacent ? 1 : 8, step_step = m.steps_adjacent ? 8 : 1;
  for (int row = 0; row < rows; row += row_step)
    for (int step = 0; step < product_steps; step += step_step) act(place_of(m, row, step), row, step);
}

// to[row * row_stride + step * step_stride]
void read_operand(const unsigned char* shared, HostProduct type, const HostMatrix& m, int rows, float* to,
                  int row_stride, int step_stride) {
  each_unit(m, rows, [&](int place, int row, int step) {
    std::uint16_t bits[8];
    std::memcpy(bits, shared + place, 16);
    float* const first = to + row * row_stride + step * step_stride;
    for (int i = 0; i < 8; ++i) first[i * (m.steps_adjacent ? step_stride : row_stride)] = value_of(type, bits[i]);
  });
}

// Calls act(accumulator i of this thread, its place among rows of n).
template <class Act> void each_accumulator(int thread, int n, Act act) {
  const int row = thread / 32 * 16 + thread % 32 / 4, pair = thread % 4;
  for (int i = 0; i < n / 2; ++i) act(i, (row + i % 4 / 2 * 8) * n + i / 4 * 8 + 2 * pair + i % 2);
}

struct Slot {
  std::size_t index;
  bool first;  // nothing was under way on these accumulators
};

// Where the product's accumulators are held, or will be.
Slot slot_for(Warpgroup& group, const HostWarpgroupProduct& what) {
  std::size_t empty = group.accumulators.size();
  for (std::size_t i = 0; i < group.accumulators.size(); ++i) {
    const Accumulators& each = group.accumulators[i];
    if (each.last_group < 0) {
      empty = i;
    } else if (each.c[0] == what.c && each.n == what.n) {
      return {i, false};
    }
  }
  if (empty == group.accumulators.size()) group.accumulators.emplace_back();
  return {empty, true};
}

// An operand in registers is read at the issue.
void read_registers(const Fiber* threads, HostProduct type, AsyncProduct& product) {
  for (int t = 0; t < warpgroup_threads; ++t) {
    const int row = t / 32 * 16 + t % 32 / 4, pair = t % 4;
    for (int part = 0; part < 4; ++part) {
      const unsigned word = product_of(threads[t]).a[part];
      float* const a =
          &product.a[static_cast<std::size_t>((row + part % 2 * 8) * product_steps + 2 * pair + part / 2 * 8)];
      a[0] = value_of(type, word & 0xffffu);
      a[1] = value_of(type, word >> 16);
    }
  }
}

}  // namespace

bool Block::arrive_warpgroup(const Fiber& me, Word word, int line) {
  Warpgroup& group = warpgroup_of(me.index);
  const Failure failure{.word = word, .thread = me.index, .line = line};
  const auto fail_as = [&](FailureKind kind) {
    Failure f = failure;
    f.kind = kind;
    fail(f);
  };
  if (first_of_warpgroup(me.index % launch_.threads) + warpgroup_threads > launch_.threads)
    fail_as(FailureKind::partial_warpgroup);
  if (group.arrived == 0) {
    group.word = word;
    group.line = line;
  } else if (group.word != word || group.line != line) {
    fail_as(FailureKind::warpgroup_disagreement);
  }
  if (++group.arrived < warpgroup_threads / host_warp_size) return false;
  group.arrived = 0;
  return true;
}

void Block::release_warpgroup(const Fiber& me) {
  const int first = first_of_warpgroup(me.index);
  for (int i = first; i < first + warpgroup_threads; ++i) fibers_[static_cast<std::size_t>(i)].word = Word::none;
  for (int warp = first / host_warp_size; warp < (first + warpgroup_threads) / host_warp_size; ++warp)
    make_ready(warp, me.index / host_warp_size == warp ? ~(1u << me.index % host_warp_size) : ~0u);
}

void Block::set_registers(HostThread& thread, int line) {
  warpgroup_collective(thread, Word::set_registers, line, nullptr, [](Block&, Warpgroup&, const Fiber*) {});
}

// Each group of products must begin with one: the last commit takes it away.
void Block::wgmma_fence(HostThread& thread, int line) {
  if (skipped(line)) return;
  warpgroup_collective(thread, Word::wgmma_fence, line, nullptr,
                       [](Block&, Warpgroup& group, const Fiber*) { group.fenced = true; });
}

void Block::wgmma_commit(HostThread& thread, int line) {
  if (skipped(line)) return;
  warpgroup_collective(thread, Word::wgmma_commit, line, nullptr, [](Block&, Warpgroup& group, const Fiber*) {
    group.fenced = false;
    ++group.group;
  });
}

void Block::wgmma_wait(HostThread& thread, int pending, int line) {
  if (skipped(line)) return;
  warpgroup_collective(thread, Word::wgmma_wait, line, nullptr,
                       [=](Block& block, Warpgroup& group, const Fiber* threads) {
                         block.finish_groups(group, threads, pending, line);
                       });
}

void Block::wgmma(HostThread& thread, const HostWarpgroupProduct& product, int line) {
  warpgroup_collective(thread, Word::wgmma, line, &product, [=](Block& block, Warpgroup& group, const Fiber* threads) {
    block.issue(group, threads, line);
  });
}

void Block::check_operand(const HostMatrix& matrix, int rows, Access now, const Fiber* threads, int line) {
  each_unit(matrix, rows, [&](int place, int, int) {
    check_place(Word::wgmma, threads->index, place - base_of(threads->index), 16, line);
    if (!launch_.check_races) return;
    Access other;
    const Conflict conflict = causal_.read_by_product(clocks_, place, 16, now, other);
    if (conflict != Conflict::none) fail_order(conflict, Word::wgmma, threads->index, place, 16, line, other);
  });
}

void Block::check_issue(const Warpgroup& group, const Fiber* threads, int line) {
  const auto fail_as = [&](FailureKind kind, int thread) {
    fail({.kind = kind, .word = Word::wgmma, .thread = thread, .line = line});
  };
  const HostWarpgroupProduct& what = product_of(*threads);
  for (int t = 1; t < warpgroup_threads; ++t) {
    const HostWarpgroupProduct& other = product_of(threads[t]);
    if (!same(other.b_matrix, what.b_matrix) || !same(other.a_matrix, what.a_matrix))
      fail_as(FailureKind::operands_disagree, threads[t].index);
  }
  if (!group.fenced) fail_as(FailureKind::no_wgmma_fence, threads->index);
}

// The first product on them takes their values and leaves poison; no later one may find anything else.
void Block::take_accumulators(Accumulators& to, bool first, const Fiber* threads, int line) {
  for (int t = 0; t < warpgroup_threads; ++t) {
    float* const c = product_of(threads[t]).c;
    if (first) to.c[static_cast<std::size_t>(t)] = c;
    each_accumulator(t, to.n, [&](int i, int place) {
      if (first) {
        to.value[static_cast<std::size_t>(place)] = c[i];
        c[i] = as_float(poison);
      } else if (as_bits(c[i]) != poison) {
        fail(
            {.kind = FailureKind::accumulators_touched, .word = Word::wgmma, .thread = threads[t].index, .line = line});
      }
    });
  }
}

void Block::issue(Warpgroup& group, const Fiber* threads, int line) {
  check_issue(group, threads, line);
  HostWarpgroupProduct what = product_of(*threads);
  what.a_matrix.offset += base_of(threads->index);
  what.b_matrix.offset += base_of(threads->index);
  const Access now{++clock_, clocks_.product_column(threads->index), clamped(line)};
  clocks_.meet(threads->index, warpgroup_threads);
  if (what.a == nullptr) check_operand(what.a_matrix, product_rows, now, threads, line);
  check_operand(what.b_matrix, what.n, now, threads, line);

  const auto [slot, first] = slot_for(group, what);
  Accumulators& to = group.accumulators[slot];
  to.n = what.n;
  to.last_group = group.group;
  take_accumulators(to, first, threads, line);

  ++products_under_way_;
  AsyncProduct& product = group.products.emplace_back();
  product.what = what;
  product.accumulators = static_cast<int>(slot);
  product.group = group.group;
  product.line = line;
  product.time = now.time;
  if (what.a != nullptr) read_registers(threads, what.type, product);
}

// The oldest product that has not been carried out: shared memory is read now.
void Block::perform_next(Warpgroup& group) {
  AsyncProduct* next = nullptr;
  for (AsyncProduct& each : group.products)
    if (!each.done) {
      next = &each;
      break;
    }
  if (next == nullptr) return;
  next->done = true;
  const HostWarpgroupProduct& what = next->what;
  const int n = what.n;
  if (what.a == nullptr)
    read_operand(shared_.data(), what.type, what.a_matrix, product_rows, next->a.data(), product_steps, 1);
  std::array<float, product_steps * max_product_columns> b;
  read_operand(shared_.data(), what.type, what.b_matrix, n, b.data(), 1, n);
  Accumulators& to = group.accumulators[static_cast<std::size_t>(next->accumulators)];
  for (int row = 0; row < product_rows; ++row) {
    float* const sum = to.value.data() + row * n;
    if (!what.accumulate) std::memset(sum, 0, static_cast<std::size_t>(n) * sizeof(float));
    for (int step = 0; step < product_steps; ++step) {
      const float factor = next->a[static_cast<std::size_t>(row * product_steps + step)];
      const float* const from = b.data() + step * n;
      for (int column = 0; column < n; ++column) sum[column] += factor * from[column];
    }
  }
}

void Block::finish_groups(Warpgroup& group, const Fiber* threads, int pending, int line) {
  const int first_pending = group.group - pending;
  std::uint32_t done = 0;
  std::size_t count = 0;
  for (; count < group.products.size() && group.products[count].group < first_pending; ++count) {
    if (!group.products[count].done) perform_next(group);
    done = group.products[count].time;
  }
  if (count == 0) return;
  products_under_way_ -= static_cast<int>(count);
  group.products.erase(group.products.begin(), group.products.begin() + static_cast<std::ptrdiff_t>(count));
  clocks_.finish_products(threads->index, warpgroup_threads, done);
  for (Accumulators& each : group.accumulators) {
    if (each.last_group < 0 || each.last_group >= first_pending) continue;
    each.last_group = -1;
    for (int t = 0; t < warpgroup_threads; ++t) {
      float* const c = each.c[static_cast<std::size_t>(t)];
      each_accumulator(t, each.n, [&](int i, int place) {
        if (as_bits(c[i]) != poison)
          fail({.kind = FailureKind::accumulators_touched,
                .word = Word::wgmma_wait,
                .thread = threads[t].index,
                .line = line});
        c[i] = each.value[static_cast<std::size_t>(place)];
      });
    }
  }
}

}  // namespace rankone

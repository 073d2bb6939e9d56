// SPDX-License-Identifier: MIT
// Fibers of a block: starting, choosing the next, rendezvous, ending.
#include "runtime/cpu/block.hpp"

#include <bit>
#include <cstring>

namespace rankone {
namespace {

constexpr unsigned char poison = 0xff;            // a NaN in every element type
constexpr std::uint32_t last_tick = 0x7fffffffu;  // then the clock starts anew over a cleared shadow

std::uint64_t mixed(std::uint64_t x) {  // the finalizer of splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// One of the set bits, starting the search at a random place.
template <class Mask> int some_bit(Mask mask, unsigned random) {
  constexpr int width = static_cast<int>(8 * sizeof(Mask));
  const int turn = static_cast<int>(random % width);
  return (std::countr_zero(std::rotr(mask, turn)) + turn) % width;
}

}  // namespace

void Block::prepare(const BlockLaunch& launch) {
  launch_ = launch;
  const int threads = launch.threads * launch.cluster;
  arena_.reserve(threads);
  fibers_.resize(static_cast<std::size_t>(threads));
  shared_.resize(static_cast<std::size_t>(launch.span * launch.cluster));
  if (launch.parts) {
    causal_.resize(launch.span * launch.cluster, launch.granule);
  } else {
    shadow_.resize(launch.shared_bytes, launch.granule);
  }
  visited_.fill(0);
}

std::string Block::run(std::int64_t cluster) {
  begin(cluster);
  Fiber* const first = pick();
  rankone_switch_stack(&main_, first->context);
  std::string result;
  if (failure_.kind != FailureKind::none) {
    result = report();
    shadow_.clear();
  }
  abandon_copies();
  return result;
}

std::uint64_t Block::warps_of_block(int rank) const {
  const int warps = launch_.threads / host_warp_size;
  return (~std::uint64_t{0} >> (64 - warps)) << rank * warps;
}

void Block::begin(std::int64_t cluster) {
  const int threads = launch_.threads * launch_.cluster;
  if (clock_ > last_tick) {
    shadow_.clear();
    clock_ = 1;
  }
  random_ = mixed(launch_.seed ^ mixed(static_cast<std::uint64_t>(cluster))) | 1;
  // How long the schedule stays with one warp: some blocks shuffle all threads, in others a warp runs far ahead.
  constexpr std::uint64_t masks[] = {0, 1, 15, 255};
  stay_mask_ = masks[draw() % 4];
  failure_ = {};
  cluster_ = static_cast<std::uint32_t>(cluster);
  if (!shared_.empty()) std::memset(shared_.data(), poison, shared_.size());
  ++clock_;
  if (launch_.parts) {
    causal_.begin_block(clock_);
    clocks_.begin(threads, clock_);
    barriers_.clear();
    named_.fill({});
    for (Warpgroup& group : warpgroups_) group.begin();
    products_under_way_ = arrivals_under_way_ = 0;
    for (auto& queue : arrivals_) queue.clear();
  } else {
    shadow_.begin_block(clock_);
  }
  arena_.unpoison(threads);
  ready_warps_ = 0;
  current_warp_ = warps_at_cluster_barrier_ = 0;
  warps_at_barrier_.fill(0);
  running_of_.fill(launch_.threads);
  running_ = threads;
  for (int i = 0; i < threads; ++i) {
    const int rank = rank_of(i);
    const auto narrow = [](int value) { return static_cast<unsigned short>(value); };
    arena_.record(i) = {cluster * launch_.cluster + rank,   launch_.blocks, narrow(i),
                        narrow(i - rank * launch_.threads), narrow(rank),   this};
    Fiber& fiber = fibers_[static_cast<std::size_t>(i)];
    fiber.context = new_stack(arena_.stack_top(i), arena_.stack_bytes(i), &Block::start);
    fiber.index = i;
    fiber.word = Word::none;
    fiber.exited = fiber.woken = false;
    fiber.group = fiber.store_group = 0;
    fiber.stores.clear();
  }
  for (int w = 0; w < threads / host_warp_size; ++w) {
    warps_[static_cast<std::size_t>(w)] = {.time = clock_};
    make_ready(w, ~0u);
  }
}

// Copies that nobody waited for must not reach into the next block.
void Block::abandon_copies() {
  for (Fiber& fiber : fibers_) {
    for (const PendingCopy& copy : fiber.copies) end_copy(copy, Access{});
    fiber.copies.clear();
  }
}

std::uint64_t Block::draw() {  // xorshift64*
  random_ ^= random_ >> 12;
  random_ ^= random_ << 25;
  random_ ^= random_ >> 27;
  return random_ * 0x2545f4914f6cdd1du;
}

// The next thread to run, taken off the ready ones; null where all are waiting or gone.
Fiber* Block::pick() {
  if (ready_warps_ == 0) return nullptr;
  const std::uint64_t random = draw() >> 16;
  const bool stays = (ready_warps_ >> current_warp_ & 1) && (random & stay_mask_) != 0;
  if (!stays) current_warp_ = some_bit(ready_warps_, static_cast<unsigned>(random >> 8));
  Warp& warp = warps_[static_cast<std::size_t>(current_warp_)];
  const int lane = some_bit(warp.ready, static_cast<unsigned>(random >> 16));
  warp.ready &= ~(1u << lane);
  if (warp.ready == 0) ready_warps_ &= ~(std::uint64_t{1} << current_warp_);
  return &fibers_[static_cast<std::size_t>(current_warp_ * host_warp_size + lane)];
}

void Block::make_ready(int warp, std::uint32_t lanes) {
  warps_[static_cast<std::size_t>(warp)].ready |= lanes;
  if (lanes) ready_warps_ |= std::uint64_t{1} << warp;
}

void Block::start() {
  HostThread& thread = host_thread();
  Block& block = *static_cast<Block*>(thread.emulator);
  block.launch_.entry(*block.launch_.arguments);
  block.finish(block.fibers_[static_cast<std::size_t>(thread.index)]);
}

// `me` waits: another runs until `me` is picked again.
void Block::leave(Fiber& me) {
  Fiber* next = pick();
  while (next == nullptr && complete_some()) next = pick();
  if (next == nullptr) fail({.kind = FailureKind::deadlock});
  if (next != &me) rankone_switch_stack(&me.context, next->context);
  if (!me.copies.empty()) deliver_some(me, random_ >> 40);
  if (!me.stores.empty() && (random_ >> 30) % 4 == 0) deliver(me.stores[(random_ >> 32) % me.stores.size()]);
  if (arrivals_under_way_ != 0 && (random_ >> 50) % 16 == 0) complete_some();
  if (products_under_way_ != 0 && (random_ >> 20) % 32 == 0)
    perform_next(warpgroups_[(random_ >> 32) % warpgroups_.size()]);
}

void Block::finish(Fiber& me) {
  if (products_under_way_ != 0 && !warpgroup_of(me.index).products.empty())
    fail({.kind = FailureKind::products_left,
          .word = Word::wgmma,
          .thread = me.index,
          .line = warpgroup_of(me.index).products.front().line});
  if (!me.stores.empty())
    fail({.kind = FailureKind::stores_left,
          .word = Word::store_bulk,
          .thread = me.index,
          .line = me.stores.front().line});
  me.exited = true;
  --running_;
  if (--running_of_[static_cast<std::size_t>(rank_of(me.index))] == 0) {
    for (const auto& queue : arrivals_)
      for (const AsyncArrival& each : queue)
        // A send reads the block of its thread, a load writes the one it is for.
        if (each.bytes != 0 &&
            (each.source != nullptr ? each.to / launch_.span : rank_of(each.thread)) == rank_of(me.index))
          fail({.kind = FailureKind::sends_left,
                .word = each.box.tensor.base != nullptr ? Word::tma_load
                        : each.source != nullptr        ? Word::load_bulk
                                                        : Word::send_to_block,
                .thread = each.thread,
                .line = each.line});
  }
  Fiber* next = pick();
  while (next == nullptr && running_ != 0 && complete_some()) next = pick();
  if (next != nullptr) {
    rankone_switch_stack(&discarded_, next->context);  // never comes back
  } else if (running_ != 0) {
    fail({.kind = FailureKind::deadlock});
  }
  rankone_switch_stack(&discarded_, main_);
}

void Block::fail(const Failure& failure) {
  failure_ = failure;
  rankone_switch_stack(&discarded_, main_);
}

// Whether `me` completes its warp at this word.
bool Block::arrive(Fiber& me, Word word, int line) {
  Warp& warp = warps_[static_cast<std::size_t>(me.index / host_warp_size)];
  me.word = word;
  me.line = line;
  if (warp.arrived == 0) {
    warp.word = word;
    warp.line = line;
  } else if (warp.word != word || warp.line != line) {
    fail({.kind = FailureKind::disagreement, .word = word, .thread = me.index, .line = line});
  }
  if (++warp.arrived < host_warp_size) return false;
  warp.arrived = 0;
  return true;
}

void Block::release_warp(const Fiber& me) {
  const int first = me.index / host_warp_size * host_warp_size;
  for (int i = first; i < first + host_warp_size; ++i) fibers_[static_cast<std::size_t>(i)].word = Word::none;
  make_ready(first / host_warp_size, ~(1u << me.index % host_warp_size));
}

bool Block::skipped(int line) {
  const std::uint16_t place = clamped(line);
  visited_[place / 64] |= std::uint64_t{1} << place % 64;
  return line == launch_.dropped_line;
}

void Block::sync_warp(HostThread& thread, int line) {
  if (skipped(line)) return;
  collective(thread, Word::sync_warp, line, nullptr, [](Block& block, Fiber* lanes) {
    ++block.clock_;
    const int warp = lanes->index / host_warp_size;
    block.warps_[static_cast<std::size_t>(warp)].time = block.clock_;
    if (block.launch_.parts) block.clocks_.synchronize(std::uint64_t{1} << warp, block.clock_);
  });
}

void Block::sync_block(HostThread& thread, int line) {
  if (skipped(line)) return;
  Fiber& me = fibers_[static_cast<std::size_t>(thread.index)];
  const int warps = launch_.threads / host_warp_size, rank = thread.rank;
  int& come = warps_at_barrier_[static_cast<std::size_t>(rank)];
  if (arrive(me, Word::sync_block, line) && ++come == warps) {
    come = 0;
    synchronized(warps_of_block(rank), launch_.cluster == 1);
  }
  leave(me);
}

void Block::sync_cluster(HostThread& thread, int line) {
  if (skipped(line)) return;
  Fiber& me = fibers_[static_cast<std::size_t>(thread.index)];
  const int warps = launch_.threads * launch_.cluster / host_warp_size;
  if (arrive(me, Word::sync_cluster, line) && ++warps_at_cluster_barrier_ == warps) {
    warps_at_cluster_barrier_ = 0;
    std::uint64_t all = 0;
    for (int rank = 0; rank < launch_.cluster; ++rank) all |= warps_of_block(rank);
    synchronized(all, true);
  }
  leave(me);
}

// These warps come after each other; `all`: there are no others.
void Block::synchronized(std::uint64_t warps, bool all) {
  ++clock_;
  if (launch_.parts) {
    clocks_.synchronize(warps, clock_);
    if (all) causal_.block_synchronized(clock_);
  } else {
    shadow_.block_synchronized(clock_);
  }
  for (std::uint64_t left = warps; left != 0; left &= left - 1) {
    const int w = std::countr_zero(left);
    for (int i = w * host_warp_size; i < (w + 1) * host_warp_size; ++i)
      fibers_[static_cast<std::size_t>(i)].word = Word::none;
    warps_[static_cast<std::size_t>(w)].time = clock_;
    make_ready(w, ~0u);
  }
}

}  // namespace rankone

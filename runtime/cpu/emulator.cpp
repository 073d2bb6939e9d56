// SPDX-License-Identifier: MIT
// Blocks of a launch over the machine's cores; a block stays on one operating-system thread.
#include "runtime/cpu/emulator.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>

#include <rankone/error.hpp>

#include "runtime/cpu/block.hpp"

namespace rankone {
namespace {

constexpr int max_shared_bytes = 1 << 20;

// Emulators keep their stacks and shadow memory from one launch to the next.
class Pool {
 public:
  std::unique_ptr<Block> take() {
    {
      const std::lock_guard guard(mutex_);
      if (!idle_.empty()) {
        auto block = std::move(idle_.back());
        idle_.pop_back();
        return block;
      }
    }
    return std::make_unique<Block>();
  }
  void give(std::unique_ptr<Block> block) {
    const std::lock_guard guard(mutex_);
    idle_.push_back(std::move(block));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> idle_;
};
Pool& pool() {
  static auto* state = new Pool;  // never destroyed: threads may outlive main()
  return *state;
}

// One launch, shared by its workers.
class Launch {
 public:
  Launch(const BlockLaunch& each, std::int64_t clusters) : each_(each), clusters_(clusters) {}

  void run(int workers) {
    std::vector<std::jthread> others;
    try {
      for (int i = 1; i < workers; ++i) others.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // Fewer threads than asked for do the same work.
    }
    work();
  }
  void throw_failure(const std::string& entry) const {
    if (error_) std::rethrow_exception(error_);
    if (failed_block_ >= 0)
      throw Error(ErrorCode::check_failed, failure_, {}, {},
                  "CPU device, kernel " + entry + (each_.cluster > 1 ? ", cluster " : ", block ") +
                      std::to_string(failed_block_) + ", seed " + std::to_string(each_.seed));
  }
  EmulationReport report() const {
    EmulationReport report;
    for (std::size_t word = 0; word < visited_.size(); ++word)
      if (visited_[word])
        for (std::size_t bit = 0; bit < 64; ++bit)
          if (visited_[word] >> bit & 1) report.visited_lines.push_back(static_cast<int>(word * 64 + bit));
    return report;
  }

 private:
  void work() {
    try {
      auto block = pool().take();
      block->prepare(each_);
      for (std::int64_t i; !stop_ && (i = next_++) < clusters_;) {
        // Odd seeds run the grid backwards: nothing may rest on the order of blocks.
        const std::int64_t index = each_.seed % 2 ? clusters_ - 1 - i : i;
        if (std::string failure = block->run(index); !failure.empty()) note(index, std::move(failure));
      }
      const std::lock_guard guard(mutex_);
      for (std::size_t word = 0; word < visited_.size(); ++word) visited_[word] |= block->visited()[word];
      pool().give(std::move(block));
    } catch (...) {
      const std::lock_guard guard(mutex_);
      error_ = std::current_exception();
      stop_ = true;
    }
  }
  void note(std::int64_t block, std::string failure) {
    const std::lock_guard guard(mutex_);
    stop_ = true;
    if (failed_block_ >= 0 && failed_block_ < block) return;
    failed_block_ = block;
    failure_ = std::move(failure);
  }

  BlockLaunch each_;
  std::int64_t clusters_;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
  std::int64_t failed_block_ = -1;
  std::string failure_;
  std::array<std::uint64_t, max_lines / 64> visited_{};
};

}  // namespace

EmulationReport emulate(const HostModule& module, const EmulatedKernel& kernel, const Arguments& arguments,
                        const EmulationOptions& options) {
  const auto& [entry, blocks, threads, shared_bytes, cluster, memory] = kernel;
  const std::string where = "CPU device, kernel " + entry;
  if (threads < host_warp_size || threads > max_block_threads || threads % host_warp_size != 0)
    throw Error(ErrorCode::invalid_argument, "a block cannot have this many threads", std::to_string(threads),
                "a multiple of 32 from 32 to 1024", where);
  if (shared_bytes < 0 || shared_bytes > max_shared_bytes)
    throw Error(ErrorCode::invalid_argument, "a block cannot have this much shared memory",
                std::to_string(shared_bytes), "0 to " + std::to_string(max_shared_bytes) + " bytes", where);
  if (cluster < 1 || cluster > max_cluster || cluster * threads > max_threads)
    throw Error(ErrorCode::invalid_argument, "a cluster cannot have this many blocks", std::to_string(cluster),
                "1 to " + std::to_string(max_cluster) + ", of at most " + std::to_string(max_threads) + " threads",
                where);
  if (blocks % cluster != 0)
    throw Error(ErrorCode::invalid_argument, "a grid consists of whole clusters", std::to_string(blocks),
                "a multiple of " + std::to_string(cluster) + " blocks", where);
  if (blocks < 0)
    throw Error(ErrorCode::invalid_argument, "a grid cannot have this many blocks", std::to_string(blocks), "0 or more",
                where);

  BlockLaunch each;
  each.entry = reinterpret_cast<void (*)(const Arguments&)>(module.entry(entry));
  if (memory != nullptr) memory->begin_kernel();
  each.arguments = &arguments;
  each.memory = memory;
  each.threads = threads;
  each.shared_bytes = shared_bytes;
  each.cluster = cluster;
  constexpr int pattern = 1024;  // swizzled tiles lie alike in every block
  each.span = (shared_bytes + pattern - 1) / pattern * pattern;
  each.blocks = blocks;
  each.granule = module.granule();
  each.parts = module.parts();
  each.seed = options.seed;
  each.check_races = options.check_races;
  each.dropped_line = options.dropped_line;

  const std::int64_t cores = std::max(1u, std::thread::hardware_concurrency());
  const std::int64_t most = options.max_workers > 0 ? options.max_workers : cores;
  Launch launch(each, blocks / cluster);
  launch.run(static_cast<int>(std::clamp<std::int64_t>(std::min(most, blocks / cluster), 1, 64)));
  launch.throw_failure(entry);
  return launch.report();
}

}  // namespace rankone

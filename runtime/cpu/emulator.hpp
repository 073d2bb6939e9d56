// SPDX-License-Identifier: MIT
// The CPU device: emitted text as a host module, and its kernels run one fiber a thread, checked as they go.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "templates/device/arguments.cuh"

namespace rankone {

// Emitted text, compiled by the host compiler and loaded. Builds are cached; the same text is loaded once.
class HostModule {
 public:
  static std::shared_ptr<HostModule> build(const std::string& emitted_text);  // throws Error(compile_failed)
  ~HostModule();
  HostModule(const HostModule&) = delete;
  HostModule& operator=(const HostModule&) = delete;

  void* entry(const std::string& name) const;  // throws Error(not_found)
  int granule() const { return granule_; }     // bytes of shared memory that are tracked together: 1, 2 or 4
  bool parts() const { return parts_; }        // whether parts of a block synchronize alone
  bool cached() const { return cached_; }      // read from the cache, not compiled
  double build_ms() const { return build_ms_; }

 private:
  HostModule() = default;
  bool load(const std::string& path);  // whether the loader takes it
  void load_from_memory(const std::string& bytes);

  void* library_ = nullptr;
  int descriptor_ = -1;  // of a module without a file
  int granule_ = 4;
  bool parts_ = false;
  bool cached_ = false;
  double build_ms_ = 0;
};

struct EmulationReport {
  std::vector<int> visited_lines;  // lines of the sync sites that some thread came to, ascending
};

struct EmulationOptions {
  std::uint64_t seed = 1;    // of the order in which threads run and copies arrive
  int max_workers = 0;       // operating-system threads; 0: one for each core
  int multiprocessors = 0;   // that the device says it has; 0: the machine's cores
  bool check_races = true;   // the happens-before check of shared memory; all other checks stay
  bool maps_tensors = true;  // whether calls get tensor maps
  int dropped_line = 0;      // the words of list_sync_sites() on this line do nothing; 0: none
  std::function<void(const EmulationReport&)> on_report{};  // called by the CPU device after each launch
};

class GlobalMemory;

struct EmulatedKernel {
  std::string entry;
  std::int64_t blocks = 1;
  int threads = 32, shared_bytes = 0, cluster = 1;
  GlobalMemory* memory = nullptr;  // the call's tensors; null: accesses to global memory are not checked
};

// Runs blocks 0 to `blocks` - 1 to their end, `cluster` of them side by side. Throws Error(check_failed) for a race, a deadlock, a
// read of memory never written, an access outside the block's shared memory or the call's tensors, a write to one that is
// only read, or threads that disagree on a word that they share.
EmulationReport emulate(const HostModule& module, const EmulatedKernel& kernel, const Arguments& arguments,
                        const EmulationOptions& options = {});

// A place in emitted text that orders threads or copies: what a test may remove.
struct SyncSite {
  int line = 0;           // from 1
  std::string word;       // such as "sync_block" or "copy_wait"
  std::string redundant;  // the reason that it names (device/redundant.cuh), or empty
  friend bool operator==(const SyncSite&, const SyncSite&) = default;
};
std::vector<SyncSite> list_sync_sites(std::string_view emitted_text);

}  // namespace rankone

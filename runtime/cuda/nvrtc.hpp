// SPDX-License-Identifier: MIT
// NVIDIA's run-time compiler, found on this machine when it is first needed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rankone::cuda {

// What the assembler says of one kernel.
struct KernelResources {
  std::string entry;
  int registers = 0;
  int shared_bytes = 0;                // static
  int spill_bytes = 0;                 // stores and loads
  std::vector<std::string> remarks{};  // what it finds slow: "C7512: wgmma.mma_async instructions are serialized ..."
};

struct CompiledText {
  std::string cubin;
  std::string log;
  std::vector<KernelResources> kernels;
  double milliseconds = 0;
};

// Where to look: a file, a folder, or a bare name for the loader; and which setting said so.
struct NvrtcCandidate {
  std::string place;
  std::string origin;
  bool binding = false;  // asked for by name: nothing else is tried
};

struct NvrtcFunctions;  // private: nvrtc.cpp

// Safe from many threads: programs are independent of each other.
class Nvrtc {
 public:
  // The first candidate that serves. Throws Error(not_found) that lists what was tried.
  explicit Nvrtc(const std::vector<NvrtcCandidate>& candidates);

  const std::string& path() const { return path_; }
  const std::string& origin() const { return origin_; }
  int version() const { return version_; }                   // 1300 is 13.0
  const std::string& identity() const { return identity_; }  // tells builds of one version apart, for cache keys
  const std::vector<int>& archs() const { return archs_; }   // 75, 80, ...
  bool supports(std::string_view arch) const;                // "sm_90a"

  // `option` is one more beside options(), or empty. No more run at once than there are cores; the rest wait.
  // Throws Error(unsupported) for an architecture that this NVRTC does not know, else Error(compile_failed).
  CompiledText compile(const std::string& text, const std::string& arch, const std::string& name,
                       const std::string& option = {}) const;
  std::vector<std::string> options(std::string_view arch, const std::string& option = {}) const;

 private:
  std::shared_ptr<const NvrtcFunctions> functions_;
  std::string path_, origin_, identity_;
  int version_ = 0;
  std::vector<int> archs_;
};

// RANKONE_NVRTC; CUDA_PATH or CUDA_HOME; a wheel in the build folder or beside the program; the loader;
// /usr/local/cuda.
std::vector<NvrtcCandidate> nvrtc_candidates();
// The NVRTC of this process, loaded on the first call; a failure is tried again on the next.
const Nvrtc& nvrtc();

// The resources that ptxas -v reports, in the order of its log, with what it remarks of each kernel.
std::vector<KernelResources> parse_resources(std::string_view log);

}  // namespace rankone::cuda

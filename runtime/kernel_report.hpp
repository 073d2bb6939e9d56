// SPDX-License-Identifier: MIT
// Emitted text to a cubin by way of the cache, and what the assembler said of each kernel. Needs no device.
#pragma once

#include <string>
#include <vector>

#include "codegen/plan.hpp"

namespace rankone {

struct KernelReport {
  std::string name;  // of the entry
  std::string pass;  // "forward" or "states"
  std::string arch;
  int registers = 0;
  int shared_bytes = 0;   // static and dynamic
  int spill_bytes = 0;    // stores and loads
  double compile_ms = 0;  // of the text that it came from, when that was compiled
  bool cached = false;
};

struct BuiltKernels {
  std::string cubin;
  std::string key;  // in the cache
  std::vector<KernelReport> kernels;
};

// Throws Error where there is no NVRTC, or none that knows the plan's architecture.
BuiltKernels build_cubin(const Plan& plan, const std::string& text);

inline std::vector<KernelReport> compile_kernels(const Plan& plan) { return build_cubin(plan, emit(plan)).kernels; }

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Emitted text to cubins by way of the cache, and what the assembler said of each kernel. Needs no device.
#pragma once

#include <string>
#include <vector>

#include "codegen/program.hpp"

namespace rankone {

struct KernelReport {
  std::string name;  // of the entry
  std::string pass;  // "forward" or "states"
  std::string arch;
  int registers = 0;
  int shared_bytes = 0;   // static and dynamic
  int spill_bytes = 0;    // stores and loads
  double compile_ms = 0;  // of the cubin that it is in, when that was compiled
  bool cached = false;
  std::vector<std::string> warnings{};  // the assembler's, of what costs time: wgmma that it serializes, say
};

struct BuiltCubin {
  std::string cubin;
  std::string key;                    // in the cache
  std::vector<KernelReport> kernels;  // those that it holds
};

// Both throw Error where there is no NVRTC, or none that knows the program's architecture.

// Each kernel of the program in a cubin of its own, compiled side by side: what runs on a GPU.
std::vector<BuiltCubin> build_kernels(const Program& program, const std::string& text);
// All kernels of the program in one cubin: what is exported.
BuiltCubin build_whole(const Program& program, const std::string& text);

std::vector<KernelReport> compile_kernels(const Program& program);

}  // namespace rankone

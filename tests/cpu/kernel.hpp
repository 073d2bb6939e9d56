// SPDX-License-Identifier: MIT
// Small kernels in the vocabulary, built and run on the CPU device.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "runtime/cpu/emulator.hpp"
#include "runtime/cpu/global_memory.hpp"

namespace rankone {

// The whole vocabulary and an entry `kernel` with this body, in which `a` is the arguments and `t` thread_index().
std::string kernel_text(const std::string& body);

// What these kernels take.
struct TestArguments : Arguments {
  TensorArgument query, key, value, output;
  TensorMap maps[2];
};

struct TestKernel {
  std::string text;
  std::shared_ptr<HostModule> module;
  int threads, shared_bytes;
  std::int64_t blocks = 1;
  int cluster = 1;
  GlobalMemory* memory = nullptr;
  TestArguments arguments{};  // `query.data` and `output.data` by convention

  TestKernel(const std::string& body, int threads, int shared_bytes);
  EmulationReport run(const EmulationOptions& options = {}) const {
    TestArguments bound = arguments;
    if (memory != nullptr) memory->bind(bound, bound.maps);
    return emulate(*module, {"kernel", blocks, threads, shared_bytes, cluster, memory}, bound, options);
  }
  // What run() reports, or empty.
  std::string failure(const EmulationOptions& options = {}) const;
  // The line of the text that contains `piece`, counted from 1.
  int line_of(const std::string& piece) const;
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Small kernels in the vocabulary, built and run on the CPU device.
#include "tests/cpu/kernel.hpp"

#include <algorithm>
#include <stdexcept>

#include <rankone/error.hpp>

#include "codegen/amalgamate.hpp"

namespace rankone {

std::string kernel_text(const std::string& body) {
  return amalgamate({"device/arguments.cuh", "device/math.cuh", "device/copy.cuh", "device/matrix.cuh",
                     "device/barrier.cuh", "device/bulk.cuh", "device/tensor_copy.cuh", "device/cluster.cuh",
                     "device/warpgroup.cuh", "hopper/swizzled_tile.cuh", "recurrent/factor.cuh"}) +
         "using namespace rankone;\n"
         "struct TestArguments : Arguments { TensorArgument query, key, value, output; TensorMap maps[2]; };\n"
         "extern \"C\" __global__ void kernel(TestArguments const __grid_constant__ a) {\n"
         "const int t = thread_index();\n" +
         body + "\n}\n";
}

TestKernel::TestKernel(const std::string& body, int threads, int shared_bytes)
    : text(kernel_text(body)), module(HostModule::build(text)), threads(threads), shared_bytes(shared_bytes) {}

std::string TestKernel::failure(const EmulationOptions& options) const {
  try {
    run(options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::check_failed) throw;
    return error.what();
  }
  return {};
}

int TestKernel::line_of(const std::string& piece) const {
  const std::size_t at = text.find(piece);
  if (at == text.npos) throw std::logic_error("no such piece of text: " + piece);
  return static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) + 1;
}

}  // namespace rankone

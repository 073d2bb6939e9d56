// SPDX-License-Identifier: MIT
// The kernels of a program, loaded into a GPU's primary context.
#pragma once

#include <string>
#include <vector>

#include "runtime/backend.hpp"
#include "runtime/cuda/driver.hpp"
#include "runtime/kernel_report.hpp"

namespace rankone::cuda {

class CudaKernels final : public LoadedKernels {
 public:
  // `cubins` holds one for each kernel of the program. Throws Error(launch_failed) where the driver does not take one.
  CudaKernels(const Driver& driver, Context context, const Program& program, const std::vector<BuiltCubin>& cubins);
  // One cubin holds all of them.
  CudaKernels(const Driver& driver, Context context, const Program& program, const std::string& cubin);
  ~CudaKernels() override;
  CudaKernels(const CudaKernels&) = delete;
  CudaKernels& operator=(const CudaKernels&) = delete;

  void launch(std::span<const KernelLaunch> kernels, const LaunchArguments& arguments,
              std::span<const CallTensor> tensors, void* stream) const override;
  bool encode(const MappedTensor& tensor, TensorMap& map) const override;

 private:
  struct Entry {
    Function function = nullptr;
    unsigned threads = 0, shared_bytes = 0;
    std::string name;
  };
  Module load(const Program& program, const std::string& cubin);
  void add(Module module, const Kernel& kernel);
  void unload() noexcept;  // in the current context

  const Driver& driver_;
  Context context_;
  std::vector<Module> modules_;
  std::vector<Entry> entries_;
};

}  // namespace rankone::cuda

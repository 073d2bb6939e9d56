// SPDX-License-Identifier: MIT
// A cubin that is loaded into a GPU's primary context.
#pragma once

#include <string>
#include <vector>

#include "runtime/backend.hpp"
#include "runtime/cuda/driver.hpp"

namespace rankone::cuda {

class CudaKernels final : public LoadedKernels {
 public:
  // Throws Error(launch_failed) where the driver does not take the cubin.
  CudaKernels(const Driver& driver, Context context, const Plan& plan, const std::string& cubin);
  ~CudaKernels() override;
  CudaKernels(const CudaKernels&) = delete;
  CudaKernels& operator=(const CudaKernels&) = delete;

  void launch(std::size_t kernel, const Arguments& arguments, std::int64_t blocks, void* stream) const override;

 private:
  struct Entry {
    Function function = nullptr;
    unsigned threads = 0, shared_bytes = 0;
    std::string name;
  };
  const Driver& driver_;
  Context context_;
  Module module_ = nullptr;
  std::vector<Entry> entries_;
};

}  // namespace rankone::cuda

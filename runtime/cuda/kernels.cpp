// SPDX-License-Identifier: MIT
// The kernels of a program, loaded into a GPU's primary context.
#include "runtime/cuda/kernels.hpp"

#include <algorithm>

#include <rankone/error.hpp>

#include "runtime/cuda/context.hpp"

namespace rankone::cuda {

CudaKernels::CudaKernels(const Driver& driver, Context context, const Program& program,
                         const std::vector<BuiltCubin>& cubins)
    : driver_(driver), context_(context) {
  const CurrentContext current(driver, context);
  modules_.reserve(cubins.size());
  try {
    for (std::size_t i = 0; i < cubins.size(); ++i) add(load(program, cubins[i].cubin), program.kernels[i]);
  } catch (...) {
    unload();
    throw;
  }
}

CudaKernels::CudaKernels(const Driver& driver, Context context, const Program& program, const std::string& cubin)
    : driver_(driver), context_(context) {
  const CurrentContext current(driver, context);
  modules_.reserve(1);
  try {
    const Module module = load(program, cubin);
    for (const Kernel& kernel : program.kernels) add(module, kernel);
  } catch (...) {
    unload();
    throw;
  }
}

Module CudaKernels::load(const Program& program, const std::string& cubin) {
  Module module = nullptr;
  if (const Result result = driver_.cuModuleLoadData(&module, cubin.data()); result != success)
    throw Error(ErrorCode::launch_failed, "the CUDA driver does not load the cubin for " + program.arch,
                error_name(driver_, result) + ", from driver " + std::to_string(driver_.version / 1000) + "." +
                    std::to_string(driver_.version % 1000 / 10),
                "a driver at least as new as NVRTC, and a GPU of that architecture", "cuModuleLoadData");
  return modules_.emplace_back(module);
}

void CudaKernels::add(Module module, const Kernel& kernel) {
  Entry& entry = entries_.emplace_back(
      Entry{nullptr, static_cast<unsigned>(kernel.threads), static_cast<unsigned>(kernel.shared_bytes), kernel.entry});
  // Asking for the function loads its code, so that no launch has to, inside a captured graph least of all.
  check(driver_, driver_.cuModuleGetFunction(&entry.function, module, kernel.entry.c_str()), "cuModuleGetFunction");
  check(driver_, driver_.cuFuncSetAttribute(entry.function, max_dynamic_shared_bytes, kernel.shared_bytes),
        "cuFuncSetAttribute");
}

// Results do not matter: at the end of the process the driver may be gone before us.
void CudaKernels::unload() noexcept {
  for (const Module module : modules_) driver_.cuModuleUnload(module);
}

CudaKernels::~CudaKernels() {
  if (driver_.cuCtxPushCurrent(context_) != success) return;
  unload();
  Context popped = nullptr;
  driver_.cuCtxPopCurrent(&popped);
}

void CudaKernels::launch(std::span<const KernelLaunch> kernels, const LaunchArguments& arguments,
                         std::span<const CallTensor>, void* stream) const {
  const CurrentContext current(driver_, context_);
  for (const auto& [kernel, blocks] : kernels) {
    const Entry& entry = entries_[kernel];
    void* parameters[] = {const_cast<Arguments*>(&*arguments)};
    const Result result =
        driver_.cuLaunchKernel(entry.function, static_cast<unsigned>(blocks), 1, 1, entry.threads, 1, 1,
                               entry.shared_bytes, static_cast<Stream>(stream), parameters, nullptr);
    if (result != success) [[unlikely]]
      throw Error(ErrorCode::launch_failed, "the CUDA driver refused a launch", error_name(driver_, result), {},
                  entry.name);
  }
}

bool CudaKernels::encode(const MappedTensor& tensor, TensorMap& map) const {
  if (driver_.cuTensorMapEncodeTiled == nullptr) return false;
  const CurrentContext current(driver_, context_);
  constexpr unsigned rank = 4, steps[rank] = {1, 1, 1, 1};
  const unsigned box[rank] = {static_cast<unsigned>(tensor.box_columns()), static_cast<unsigned>(tensor.box_tokens), 1,
                              1};
  unsigned long long sizes[rank], strides[rank - 1];
  std::copy(tensor.sizes.begin(), tensor.sizes.end(), sizes);
  std::copy(tensor.strides.begin(), tensor.strides.end(), strides);
  return driver_.cuTensorMapEncodeTiled(&map, tensor.element_bytes == 2 ? map_uint16 : map_uint32, rank,
                                        const_cast<void*>(tensor.base), sizes, strides, box, steps, 0, map_swizzle_128,
                                        map_l2_as_it_is, 0) == success;
}

}  // namespace rankone::cuda

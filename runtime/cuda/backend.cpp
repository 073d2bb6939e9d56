// SPDX-License-Identifier: MIT
// A GPU through its driver.
#include "runtime/backend.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include <rankone/error.hpp>

#include "runtime/cuda/context.hpp"
#include "runtime/cuda/kernels.hpp"
#include "runtime/kernel_report.hpp"

namespace rankone {
namespace cuda {
namespace {

constexpr int oldest_major = 8;

int attribute(const Driver& driver, int which, DeviceOrdinal device) {
  int value = 0;
  check(driver, driver.cuDeviceGetAttribute(&value, which, device), "cuDeviceGetAttribute");
  return value;
}

std::string name_of(const Driver& driver, DeviceOrdinal device) {
  char name[256] = {};
  check(driver, driver.cuDeviceGetName(name, sizeof name, device), "cuDeviceGetName");
  return name;
}

DevicePointer address(const void* pointer) { return reinterpret_cast<DevicePointer>(pointer); }

class CudaBackend final : public DeviceBackend {
 public:
  explicit CudaBackend(int ordinal) : driver_(driver()), ordinal_(ordinal) {
    const int count = cuda_device_count();
    if (ordinal < 0 || ordinal >= count)
      throw Error(ErrorCode::no_device, "there is no such GPU", "cuda:" + std::to_string(ordinal),
                  count == 0 ? "none is there" : "cuda:0 to cuda:" + std::to_string(count - 1));
    check(driver_, driver_.cuDeviceGet(&device_, ordinal), "cuDeviceGet");
    name_ = name_of(driver_, device_);
    const int major = attribute(driver_, compute_capability_major, device_);
    const int minor = attribute(driver_, compute_capability_minor, device_);
    arch_ = "sm_" + std::to_string(major * 10 + minor) + (major >= 9 ? "a" : "");
    if (major < oldest_major)
      throw Error(ErrorCode::unsupported, "the GPU is too old", name_ + ", " + arch_,
                  "sm_80 (Ampere) or later, or the CPU device", "cuda:" + std::to_string(ordinal));
    multiprocessors_ = attribute(driver_, multiprocessor_count, device_);
    shared_bytes_ = static_cast<std::size_t>(attribute(driver_, max_shared_bytes_per_block_optin, device_));
    // Kept to the end: the CUDA runtime of this process, if there is one, works in the same context.
    check(driver_, driver_.cuDevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain");
  }

  bool is_cpu() const override { return false; }
  int ordinal() const override { return ordinal_; }
  std::string name() const override { return name_; }
  std::string arch() const override { return arch_; }
  std::size_t shared_memory_per_block() const override { return shared_bytes_; }
  int multiprocessors() const override { return multiprocessors_; }

  void* allocate(std::size_t bytes) override {
    const CurrentContext current(driver_, context_);
    DevicePointer pointer = 0;
    const Result result = driver_.cuMemAlloc(&pointer, std::max<std::size_t>(bytes, 1));
    if (result != success)
      throw Error(ErrorCode::launch_failed, "the GPU has no room for " + std::to_string(bytes) + " bytes",
                  error_name(driver_, result), {}, "cuMemAlloc");
    return reinterpret_cast<void*>(pointer);
  }
  void release(void* pointer) noexcept override {
    Context popped = nullptr;
    if (pointer == nullptr || driver_.cuCtxPushCurrent(context_) != success) return;
    driver_.cuMemFree(address(pointer));
    driver_.cuCtxPopCurrent(&popped);
  }
  // Both wait, so that the host's memory may be reused or read at once.
  void upload(void* to, const void* from, std::size_t bytes, void* stream) override {
    const CurrentContext current(driver_, context_);
    check(driver_, driver_.cuMemcpyHtoDAsync(address(to), from, bytes, static_cast<Stream>(stream)),
          "cuMemcpyHtoDAsync");
    check(driver_, driver_.cuStreamSynchronize(static_cast<Stream>(stream)), "cuStreamSynchronize");
  }
  void download(void* to, const void* from, std::size_t bytes, void* stream) override {
    const CurrentContext current(driver_, context_);
    check(driver_, driver_.cuMemcpyDtoHAsync(to, address(from), bytes, static_cast<Stream>(stream)),
          "cuMemcpyDtoHAsync");
    check(driver_, driver_.cuStreamSynchronize(static_cast<Stream>(stream)), "cuStreamSynchronize");
  }
  void synchronize(void* stream) override {
    const CurrentContext current(driver_, context_);
    check(driver_, driver_.cuStreamSynchronize(static_cast<Stream>(stream)), "cuStreamSynchronize");
  }

  std::shared_ptr<const LoadedKernels> load(const Program& program, const std::string& text) override {
    {
      const std::lock_guard guard(mutex_);
      if (auto loaded = loaded_[program.arch + text].lock()) return loaded;
    }
    // Two threads may load the same cubins twice; each is compiled once.
    auto kernels = std::make_shared<const CudaKernels>(driver_, context_, program, build_kernels(program, text));
    const std::lock_guard guard(mutex_);
    std::erase_if(loaded_, [](const auto& entry) { return entry.second.expired(); });
    loaded_[program.arch + text] = kernels;
    return kernels;
  }
  std::shared_ptr<const LoadedKernels> load(const Program& program, const std::string&,
                                            const std::string& cubin) override {
    return std::make_shared<const CudaKernels>(driver_, context_, program, cubin);
  }

 private:
  const Driver& driver_;
  const int ordinal_;
  DeviceOrdinal device_ = 0;
  Context context_ = nullptr;
  std::string name_, arch_;
  int multiprocessors_ = 0;
  std::size_t shared_bytes_ = 0;
  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<const CudaKernels>> loaded_;  // those still in use, by text
};

}  // namespace
}  // namespace cuda

std::shared_ptr<DeviceBackend> make_cuda_backend(int ordinal) { return std::make_shared<cuda::CudaBackend>(ordinal); }

int cuda_device_count() {
  try {
    const cuda::Driver& driver = cuda::driver();
    int count = 0;
    return driver.cuDeviceGetCount(&count) == cuda::success ? count : 0;
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The CPU device: host memory, and kernels by emulation.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <thread>

#include <rankone/error.hpp>

#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/global_memory.hpp"
#include "runtime/cpu/host_map.hpp"
#include "runtime/cpu/temporary_folder.hpp"

namespace rankone {
namespace {

// It stands for the GPU that the project is tuned on, so that what was checked here is what runs there.
constexpr const char* stands_for = "sm_90a";
constexpr std::size_t alignment = 256;  // as cuMemAlloc gives

class CpuKernels final : public LoadedKernels {
 public:
  CpuKernels(std::shared_ptr<HostModule> module, std::vector<Kernel> kernels, const EmulationOptions& options)
      : module_(std::move(module)), kernels_(std::move(kernels)), options_(options) {}

  void launch(std::span<const KernelLaunch> launches, const LaunchArguments& arguments,
              std::span<const CallTensor> tensors, void*) const override {
    GlobalMemory memory(tensors);
    LaunchArguments bound = arguments;
    memory.bind(*bound, bound.maps());
    for (const auto& [index, blocks] : launches) {
      const Kernel& kernel = kernels_[index];
      const EmulationReport report =
          emulate(*module_, {kernel.entry, blocks, kernel.threads, kernel.shared_bytes, kernel.cluster, &memory},
                  *bound, options_);
      if (options_.on_report) options_.on_report(report);
    }
  }
  bool encode(const MappedTensor& tensor, TensorMap& map) const override {
    if (options_.maps_tensors) encode_host_map(tensor, map);
    return options_.maps_tensors;
  }

 private:
  std::shared_ptr<HostModule> module_;
  std::vector<Kernel> kernels_;
  EmulationOptions options_;
};

class CpuBackend final : public DeviceBackend {
 public:
  explicit CpuBackend(const EmulationOptions& options) : options_(options) {}
  bool is_cpu() const override { return true; }
  int ordinal() const override { return -1; }
  std::string name() const override { return "cpu"; }
  std::string arch() const override { return stands_for; }
  std::size_t shared_memory_per_block() const override {
    return static_cast<std::size_t>(arch_limits(stands_for).shared_bytes_per_block);
  }
  int multiprocessors() const override {
    if (options_.multiprocessors > 0) return options_.multiprocessors;
    return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  }

  // Filled with NaNs of every float type, so that a read of what was never written shows.
  void* allocate(std::size_t bytes) override {
    constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();  // no object is larger
    const std::size_t size = (std::clamp<std::size_t>(bytes, 1, most) + alignment - 1) / alignment * alignment;
    void* const pointer = bytes <= most ? std::aligned_alloc(alignment, size) : nullptr;
    if (pointer == nullptr)
      throw Error(ErrorCode::launch_failed, "out of memory", std::to_string(bytes) + " bytes",
                  "what this machine has left", "cpu");
    std::memset(pointer, 0xff, size);
    return pointer;
  }
  void release(void* pointer) noexcept override { std::free(pointer); }
  void upload(void* to, const void* from, std::size_t bytes, void*) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes, void*) override { std::memcpy(to, from, bytes); }
  void synchronize(void*) override {}

  std::shared_ptr<const LoadedKernels> load(const Program& program, const std::string& text,
                                            const std::string&) override {
    return load(program, text);
  }
  std::shared_ptr<const LoadedKernels> load(const Program& program, const std::string& text) override {
    static std::once_flag swept;  // even where everything is cached, and nothing will be compiled
    std::call_once(swept, sweep_temporary_folders);
    return std::make_shared<CpuKernels>(HostModule::build(text), program.kernels, options_);
  }

 private:
  EmulationOptions options_;
};

}  // namespace

std::shared_ptr<DeviceBackend> make_cpu_backend(const EmulationOptions& options) {
  return std::make_shared<CpuBackend>(options);
}

}  // namespace rankone

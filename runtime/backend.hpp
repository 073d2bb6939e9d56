// SPDX-License-Identifier: MIT
// What a device does: memory, and kernels from emitted text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <rankone/device.hpp>

#include "codegen/launch_arguments.hpp"
#include "codegen/program.hpp"
#include "runtime/call_tensor.hpp"
#include "runtime/mapped_tensor.hpp"

namespace rankone {

struct KernelLaunch {
  std::size_t kernel;
  std::int64_t blocks;
};

// The kernels of one program, ready to launch; safe from many threads.
class LoadedKernels {
 public:
  virtual ~LoadedKernels() = default;
  // Kernels of one call, one after the other. `tensors` are what it names, where the device is the CPU.
  // `kernel` is an index into Program::kernels. `blocks` is 1 to 2^31 - 1.
  virtual void launch(std::span<const KernelLaunch> kernels, const LaunchArguments& arguments,
                      std::span<const CallTensor> tensors, void* stream) const = 0;
  // The map of a tensor that can_be_mapped(); false where the device makes none.
  virtual bool encode(const MappedTensor& tensor, TensorMap& map) const = 0;
};

namespace detail {
class DeviceBackend {
 public:
  virtual ~DeviceBackend() = default;
  virtual bool is_cpu() const = 0;
  virtual int ordinal() const = 0;  // -1: the CPU
  virtual std::string name() const = 0;
  virtual std::string arch() const = 0;
  virtual std::size_t shared_memory_per_block() const = 0;
  virtual int multiprocessors() const = 0;

  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* pointer) noexcept = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes, void* stream) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes, void* stream) = 0;
  virtual void synchronize(void* stream) = 0;

  // Built at most once for the same text, here and by way of the cache.
  virtual std::shared_ptr<const LoadedKernels> load(const Program& program, const std::string& text) = 0;
  // Of an export: all kernels in one cubin. The CPU runs the text.
  virtual std::shared_ptr<const LoadedKernels> load(const Program& program, const std::string& text,
                                                    const std::string& cubin) = 0;
};

struct DeviceAccess {
  static Device make(std::shared_ptr<DeviceBackend> backend) { return Device(std::move(backend)); }
  static DeviceBackend& backend(const Device& device) { return device.backend(); }
};
}  // namespace detail
using detail::DeviceBackend;
inline Device make_device(std::shared_ptr<DeviceBackend> backend) {
  return detail::DeviceAccess::make(std::move(backend));
}
inline DeviceBackend& backend_of(const Device& device) { return detail::DeviceAccess::backend(device); }

std::shared_ptr<DeviceBackend> make_cuda_backend(int ordinal);  // throws Error(no_device)
int cuda_ordinal(
    std::string_view name);  // of "cuda" and "cuda:N"; -1: "auto" and "cpu"; throws Error(invalid_argument)
int cuda_device_count();     // 0 where there is no driver

}  // namespace rankone

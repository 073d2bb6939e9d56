// SPDX-License-Identifier: MIT
// Where kernels run: a CUDA GPU through its driver, or the CPU by emulation, thread by thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rankone {

namespace detail {  // the library's own
class DeviceBackend;
struct DeviceAccess;
}  // namespace detail

// A cheap handle; copies refer to the same device. All members are safe from many threads.
// A default-constructed or moved-from device is empty: it may be assigned, destroyed and asked whether it is one, and
// every other call throws Error(invalid_argument).
class Device {
 public:
  Device() = default;
  explicit operator bool() const { return backend_ != nullptr; }

  static Device best();                        // the first GPU, or the CPU where there is none
  static Device cpu();                         // schedule seed from RANKONE_SEED, else 1
  static Device cuda(int ordinal = 0);         // throws Error(no_device)
  static Device named(std::string_view name);  // "auto", "cpu", "cuda" or "cuda:N"

  bool is_cpu() const;
  int ordinal() const;                          // N of "cuda:N", as the driver counts; -1: the CPU
  std::string name() const;                     // "NVIDIA H200", or "cpu"
  std::string arch() const;                     // "sm_90a"; the CPU names the architecture that it stands for
  std::size_t shared_memory_per_block() const;  // bytes a block may use
  int multiprocessors() const;

  // Plain device memory. `stream` is a CUstream; null is the default stream. The CPU device runs at once.
  // allocate() throws Error(launch_failed) where there is not enough; release() takes what it gave, or null. Copies of
  // more than 0 bytes throw Error(invalid_argument) for a null pointer.
  void* allocate(std::size_t bytes) const;
  void release(void* pointer) const noexcept;
  void upload(void* to, const void* from, std::size_t bytes, void* stream = nullptr) const;
  void download(void* to, const void* from, std::size_t bytes, void* stream = nullptr) const;
  void synchronize(void* stream = nullptr) const;

 private:
  friend struct detail::DeviceAccess;
  explicit Device(std::shared_ptr<detail::DeviceBackend> backend) : backend_(std::move(backend)) {}
  detail::DeviceBackend& backend() const;

  std::shared_ptr<detail::DeviceBackend> backend_;
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Device memory that frees itself.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <rankone/device.hpp>
#include <rankone/dtype.hpp>
#include <rankone/tensor.hpp>

namespace rankone {

// Owns `bytes` bytes of a device's memory, aligned for every access that kernels make. Not initialized. Moved
// from or default-constructed it is empty: 0 bytes and a null pointer.
class Buffer {
 public:
  Buffer() = default;
  // Throws Error(launch_failed) where the device has not enough memory, Error(invalid_argument) for an empty device.
  Buffer(const Device& device, std::size_t bytes)
      : device_(device), bytes_(bytes), data_(bytes != 0 ? device_.allocate(bytes) : nullptr) {}
  Buffer(Buffer&& other) noexcept
      : device_(std::move(other.device_)), bytes_(std::exchange(other.bytes_, 0)),
        data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    std::swap(device_, taken.device_);
    std::swap(bytes_, taken.bytes_);
    std::swap(data_, taken.data_);
    return *this;
  }
  ~Buffer() { device_.release(data_); }

  explicit operator bool() const { return data_ != nullptr; }
  void* data() const { return data_; }
  std::size_t size() const { return bytes_; }  // in bytes
  // The whole of it, as calls take a workspace.
  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(data_), bytes_}; }
  // A contiguous tensor at its start. Throws Error(invalid_argument) where the buffer is smaller.
  Tensor tensor(dtype type, SizeList shape) const;

  // All bytes, from and to the host's memory, in the order of `stream`. Both wait until it is done.
  void upload(const void* from, void* stream = nullptr) const {
    if (bytes_ != 0) device_.upload(data_, from, bytes_, stream);
  }
  void download(void* to, void* stream = nullptr) const {
    if (bytes_ == 0) return;
    device_.download(to, data_, bytes_, stream);
    device_.synchronize(stream);
  }

 private:
  Device device_;
  std::size_t bytes_ = 0;
  void* data_ = nullptr;
};

}  // namespace rankone

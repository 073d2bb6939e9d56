// SPDX-License-Identifier: MIT
// Device memory that frees itself.
#pragma once

#include <cstddef>
#include <initializer_list>
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
  std::size_t bytes() const { return bytes_; }
  // The whole of it, as operators take a workspace; absent where it is empty.
  Tensor tensor() const {
    return data_ != nullptr ? Tensor(data_, dtype::f32, {static_cast<std::int64_t>(bytes_ / sizeof(float))}) : Tensor();
  }

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

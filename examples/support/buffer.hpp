// SPDX-License-Identifier: MIT
// Device memory that frees itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <rankone/device.hpp>
#include <rankone/tensor.hpp>

namespace support {

class Buffer {
 public:
  Buffer(const rankone::Device& device, std::size_t bytes)
      : device_(device), bytes_(bytes), data_(bytes ? device.allocate(bytes) : nullptr) {}
  Buffer(Buffer&& other) noexcept
      : device_(other.device_), bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Buffer() {
    if (data_) device_.release(data_);
  }

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  // As operators take their workspace.
  rankone::Tensor tensor() const {
    return bytes_ ? rankone::Tensor(data_, rankone::dtype::f32, {std::int64_t(bytes_ / 4)}) : rankone::Tensor();
  }
  void upload(const void* from) const { device_.upload(data_, from, bytes_); }
  void download(void* to) const {
    device_.download(to, data_, bytes_);
    device_.synchronize();
  }

 private:
  rankone::Device device_;
  std::size_t bytes_;
  void* data_;
};

}  // namespace support

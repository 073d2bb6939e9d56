// SPDX-License-Identifier: MIT
// Tensors in a device's memory with their copies on the host, and the oracle's answer beside them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <rankone/device.hpp>
#include <rankone/error.hpp>
#include <rankone/tensor.hpp>

#include "runtime/convert.hpp"

namespace rankone::test {

inline std::optional<Device> gpu() {
  try {
    return Device::cuda(0);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Random numbers in [-1, 1), the same everywhere.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}
  double operator()() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
  }

 private:
  std::uint64_t state_;
};

// One tensor, here and there. `gap` leaves elements between rows of the first dimensions; `shift` moves the base.
class DeviceTensor {
 public:
  DeviceTensor(const Device& device, dtype type, const std::vector<std::int64_t>& shape, std::int64_t gap = 0,
               std::int64_t shift = 0)
      : device_(device) {
    Tensor layout(nullptr, type, shape);
    if (gap != 0) {
      std::int64_t stride = 1;
      for (std::size_t i = shape.size(); i-- > 0;) {
        layout.strides[i] = stride;
        stride = stride * shape[i] + (i + 1 == shape.size() ? gap : 0);
      }
    }
    std::int64_t reach = 1 + shift;
    for (std::size_t i = 0; i < shape.size(); ++i) reach += std::max<std::int64_t>(shape[i] - 1, 0) * layout.strides[i];
    bytes_.assign(static_cast<std::size_t>(reach) * size_of(type), 0xff);
    there_ =
        std::shared_ptr<void>(device.allocate(bytes_.size()), [device](void* pointer) { device.release(pointer); });
    here = there = layout;
    here.data = bytes_.data() + static_cast<std::size_t>(shift) * size_of(type);
    there.data = static_cast<char*>(there_.get()) + static_cast<std::size_t>(shift) * size_of(type);
  }

  template <class Function> DeviceTensor& fill(Function&& function) {
    visit([&](std::int64_t element) { store(here.data, here.type, element, function()); });
    return upload();
  }
  DeviceTensor& upload() {
    device_.upload(there_.get(), bytes_.data(), bytes_.size());
    return *this;
  }
  DeviceTensor& download() {
    device_.download(bytes_.data(), there_.get(), bytes_.size());
    return *this;
  }
  // The whole of it in the device's memory.
  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(there_.get()), bytes_.size()}; }
  // All elements in row-major order.
  std::vector<double> values() const {
    std::vector<double> all;
    visit([&](std::int64_t element) { all.push_back(load(here.data, here.type, element)); });
    return all;
  }

  Tensor here, there;

 private:
  Device device_;
  std::vector<unsigned char> bytes_;
  std::shared_ptr<void> there_;

  template <class Visit> void visit(const Visit& each) const {
    const auto size = [&](int i) { return i < here.rank ? here.shape[static_cast<std::size_t>(i)] : 1; };
    const auto stride = [&](int i) { return i < here.rank ? here.strides[static_cast<std::size_t>(i)] : 0; };
    for (std::int64_t a = 0; a < size(0); ++a)
      for (std::int64_t b = 0; b < size(1); ++b)
        for (std::int64_t c = 0; c < size(2); ++c)
          for (std::int64_t d = 0; d < size(3); ++d)
            each(a * stride(0) + b * stride(1) + c * stride(2) + d * stride(3));
  }
};

}  // namespace rankone::test

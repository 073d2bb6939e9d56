// SPDX-License-Identifier: MIT
// A problem in a device's memory: inputs uploaded, outputs poisoned and fenced, ready to run again and again.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <rankone/device.hpp>
#include <rankone/operator.hpp>

#include "proof/problem.hpp"

namespace rankone {

class DeviceBuffer {
 public:
  DeviceBuffer(const Device& device, std::size_t bytes);
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&&) = delete;
  ~DeviceBuffer();
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Device device_;
  void* data_;
  std::size_t bytes_;
};

class Launch {
 public:
  Launch(const Operator& op, const Problem& problem, bool want_optional_outputs);

  void use(const Operator& op);  // another schedule of the same variant on the same tensors
  // Outputs and workspace become NaN, or all of `with`, and what is updated is as at first; the memory around them becomes a
  // pattern.
  void poison(std::byte with = std::byte{0xFF});
  void run(void* stream = nullptr) const;  // the problem's pass
  std::vector<HostTensor> outputs()
      const;  // waits for them; throws Error(check_failed) where memory around them changed
  std::size_t bytes() const { return bytes_; }  // each input once, each output once
  std::size_t device_bytes() const { return bytes_ + (workspace_ ? workspace_->bytes() : 0); }

 private:
  struct Output {
    HostTensor layout;  // without bytes
    std::size_t bytes;
    std::size_t buffer;
    std::vector<std::byte> before{};  // of what is updated
  };
  void bind(const std::string& name, PortRole role, const Tensor& tensor);
  void add_output(HostTensor layout, PortRole role, std::size_t bytes, std::vector<std::byte> before);

  Operator op_;
  Pass pass_;
  ForwardArguments arguments_;
  BackwardArguments backward_;
  DecodeArguments decode_;
  Shape shape_;
  std::vector<DeviceBuffer> buffers_;
  std::optional<DeviceBuffer> workspace_;
  std::vector<Output> outputs_;
  std::size_t bytes_ = 0;
};

}  // namespace rankone

// SPDX-License-Identifier: MIT
// A device that launches nothing and remembers what it was asked for; its memory is the host's.
#pragma once

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "runtime/backend.hpp"

namespace rankone::test {

struct Recorder final : DeviceBackend {
  struct Kernels final : LoadedKernels {
    explicit Kernels(Recorder& owner) : owner(owner) {}
    void launch(std::span<const KernelLaunch> kernels, const LaunchArguments& arguments, std::span<const CallTensor>,
                void* stream) const override {
      ++owner.launches;
      owner.kernels = kernels.size();
      owner.arguments = arguments;
      owner.stream = stream;
    }
    bool encode(const MappedTensor&, TensorMap&) const override { return ++owner.encoded > 0; }
    Recorder& owner;
  };

  bool is_cpu() const override { return false; }
  int ordinal() const override { return 0; }
  std::string name() const override { return "recorder"; }
  std::string arch() const override { return own_arch; }
  std::size_t shared_memory_per_block() const override { return 232448; }
  int multiprocessors() const override { return 132; }
  void* allocate(std::size_t bytes) override { return std::aligned_alloc(256, (bytes + 255) / 256 * 256); }
  void release(void* pointer) noexcept override { std::free(pointer); }
  void upload(void* to, const void* from, std::size_t bytes, void*) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes, void*) override { std::memcpy(to, from, bytes); }
  void synchronize(void*) override {}
  std::shared_ptr<const LoadedKernels> load(const Program&, const std::string&) override {
    ++compiled;
    return std::make_shared<Kernels>(*this);
  }
  std::shared_ptr<const LoadedKernels> load(const Program&, const std::string&, const std::string& cubin) override {
    this->cubin = cubin;
    return std::make_shared<Kernels>(*this);
  }

  std::string own_arch = "sm_90a";
  int compiled = 0, launches = 0, encoded = 0;
  std::string cubin;  // the last that was loaded
  std::size_t kernels = 0;
  LaunchArguments arguments;
  void* stream = nullptr;
};

}  // namespace rankone::test

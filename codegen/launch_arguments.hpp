// SPDX-License-Identifier: MIT
// The bytes that a program's kernels are launched with: PortArguments of as many ports and maps.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include <rankone/dsl/validate.hpp>

#include "codegen/ports.hpp"
#include "templates/device/arguments.cuh"

namespace rankone {

class LaunchArguments {
 public:
  // Each tensor of the formulas may have a gradient. Maps are of inputs and gates alone.
  static constexpr std::size_t most_ports =
                                   most_own_ports + std::size_t{2} * (max_variant_inputs + max_variant_parameters),
                               most_maps = most_own_inputs + max_variant_inputs;

  LaunchArguments() = default;
  explicit LaunchArguments(int ports) : maps_offset_(offset_of_maps(static_cast<std::size_t>(ports))) {}

  Arguments& operator*() { return *reinterpret_cast<Arguments*>(bytes_.data()); }
  const Arguments& operator*() const { return *reinterpret_cast<const Arguments*>(bytes_.data()); }
  Arguments* operator->() { return &**this; }
  const Arguments* operator->() const { return &**this; }
  TensorArgument& port(int slot) { return reinterpret_cast<TensorArgument*>(bytes_.data() + sizeof(Arguments))[slot]; }
  const TensorArgument& port(int slot) const {
    return reinterpret_cast<const TensorArgument*>(bytes_.data() + sizeof(Arguments))[slot];
  }
  TensorMap& map(std::size_t slot) { return maps()[slot]; }
  // Room for as many as any kernel takes.
  std::span<TensorMap, most_maps> maps() {
    return std::span<TensorMap, most_maps>(reinterpret_cast<TensorMap*>(bytes_.data() + maps_offset_), most_maps);
  }

  static constexpr std::size_t offset_of_maps(std::size_t ports) {
    const std::size_t end = sizeof(Arguments) + ports * sizeof(TensorArgument);
    return (end + alignof(TensorMap) - 1) / alignof(TensorMap) * alignof(TensorMap);
  }
  // Of the whole struct.
  static constexpr std::size_t bytes(std::size_t ports, std::size_t maps) {
    return maps == 0 ? sizeof(Arguments) + ports * sizeof(TensorArgument)
                     : offset_of_maps(ports) + maps * sizeof(TensorMap);
  }

 private:
  static constexpr std::size_t capacity =
      sizeof(Arguments) + most_ports * sizeof(TensorArgument) + (most_maps + 1) * sizeof(TensorMap);
  alignas(TensorMap) std::array<std::byte, capacity> bytes_{};
  std::size_t maps_offset_ = offset_of_maps(0);
};

static_assert(LaunchArguments::bytes(5, 0) == sizeof(PortArguments<5, 0>));
static_assert(LaunchArguments::bytes(5, 2) == sizeof(PortArguments<5, 2>));
static_assert(LaunchArguments::bytes(LaunchArguments::most_ports, LaunchArguments::most_maps) <= 4096,
              "what a kernel's parameters may have");

}  // namespace rankone

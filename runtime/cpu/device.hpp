// SPDX-License-Identifier: MIT
// The CPU device with options of its own: another schedule seed, other checks.
#pragma once

#include <cstdint>
#include <memory>

#include <rankone/device.hpp>

#include "runtime/cpu/emulator.hpp"

namespace rankone {

std::shared_ptr<detail::DeviceBackend> make_cpu_backend(const EmulationOptions& options);

Device cpu_device(std::uint64_t seed);
Device cpu_device(const EmulationOptions& options);

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Which schedule a command uses: what was pinned, else what tuning found, else the default.
#pragma once

#include <string>
#include <string_view>

#include <rankone/device.hpp>
#include <rankone/options.hpp>

#include "autotune/dims.hpp"
#include "codegen/schedule.hpp"

namespace rankone {

struct ChosenSchedule {
  Schedule schedule{};
  std::string origin;  // "pinned", "tuned for this shape", ..., "default"

  std::string text() const;  // "portable/serial chunk=64 ... (default)"
};

ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch, const Dims& dims);

}  // namespace rankone

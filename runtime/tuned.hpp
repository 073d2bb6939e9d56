// SPDX-License-Identifier: MIT
// How compile() chooses a schedule. The tuner's database answers; here is only the question.
#pragma once

#include <string>
#include <string_view>

#include <rankone/device.hpp>
#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>

#include "codegen/schedule.hpp"

namespace rankone {

struct ChosenSchedule {
  Schedule schedule{};
  std::string origin;  // "pinned", "tuned for this shape", ..., "default"

  std::string text() const;  // "portable/serial chunk=64 ... (default)"
};

// What tuning found for a typical shape, else the default, both under what is pinned by `options` or the variant.
// Defined by autotune/. Reads what is known, never tunes and never throws for a database that cannot be read; throws
// Error where no schedule is legal.
ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch);
// The same for calls of about this shape.
ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch, const Shape& expected);

}  // namespace rankone

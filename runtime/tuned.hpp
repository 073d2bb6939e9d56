// SPDX-License-Identifier: MIT
// How compile() asks for a tuned schedule. The tuner's database answers; here is only the question.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <rankone/device.hpp>
#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>

#include "codegen/schedule.hpp"

namespace rankone {

struct TunedSchedule {
  Schedule schedule;
  std::string origin;  // "tuned for this shape", "tuned for a near shape", ...
};

// Defined by autotune/. Reads what is known, never tunes and never throws for a database that cannot be read. A pinned
// part of `options` or of the variant counts: what does not agree with it is no answer.
std::optional<TunedSchedule> tuned_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                                            std::string_view arch);

}  // namespace rankone

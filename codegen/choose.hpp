// SPDX-License-Identifier: MIT
// The choice of a schedule where nothing has been tuned: the only place that decides it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/options.hpp>

#include "codegen/space.hpp"

namespace rankone {

// A schedule and why it is the one: "pinned", "default", "tuned for this shape", ...
struct ChosenSchedule {
  Schedule schedule{};
  std::string origin{};
  std::optional<Shape> expected{};  // of the coming calls, where it is known
  std::vector<PassSchedule> beside{};

  std::string text() const;  // "portable/serial chunk=64 ... (default)"
};

// For calls of any shape. Throws Error where nothing legal fits, or where what is pinned is not legal.
Schedule default_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch);
// For calls of about this shape.
Schedule default_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch,
                          const Shape& expected);

// Of the public state-only pass of a forward pass that has this schedule. Pins are the forward pass's.
Schedule states_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch,
                         const Schedule& forward);
// Of decoding, whatever the forward pass has; pinned values of the recurrent family's knobs hold here, too.
Schedule decode_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch,
                         const std::optional<Shape>& expected = {});
// The same of any pass; combining has nothing to schedule.
Schedule schedule_for(Pass pass, const Variant& variant, const CompileOptions& options, std::string_view arch,
                      const ChosenSchedule& forward);

// What pins say of a knob to backward and decoding, in the family that has them: nothing if they name another family, or a value
// that it lacks there.
std::optional<int> pinned_beside(const Knob& knob, const Pins& pins, Family family = Family::recurrent);

// All that a pass may have, under what is pinned.
std::vector<Schedule> schedules_of(Pass pass, const Variant& variant, const CompileOptions& options,
                                   std::string_view arch);

// Another pass of the same operator, under the schedule that goes with its forward pass's.
Program lower_beside(const Program& forward, Pass pass);

// Those where many variants are asked for alike: with a K under which this one's feature map does not make too many
// features.
CompileOptions usual_options(const Variant& variant, CompileOptions options);

// The best of `legal`, which is not empty, whatever the target; of equals the first.
Schedule preferred(const Target& target, const std::vector<Schedule>& legal);

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Which schedule a command uses: what was pinned, else what tuning found, else the default.
#include "tools/schedule.hpp"

#include "autotune/lookup.hpp"
#include "codegen/space.hpp"

namespace rankone {

std::string ChosenSchedule::text() const { return to_string(schedule) + " (" + origin + ")"; }

ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch, const Dims& dims) {
  const Pins pins = pins_of(variant, options);
  const bool pinned =
      pins.level != Level::automatic || pins.chunk != 0 || pins.value_tile != 0 || pins.warps != 0 || pins.stages != 0;
  ChosenSchedule chosen;
  chosen.schedule = default_schedule(variant, options, arch);  // refuses what cannot be
  chosen.origin = pinned ? "pinned" : "default";
  if (!device.is_cpu() && device.arch() == arch) {
    if (const auto tuned = tuned_choice(variant, options, device.name(), std::string(arch), dims)) {
      chosen.schedule = tuned->schedule;
      chosen.origin = tuned->origin;
    }
  }
  return chosen;
}

}  // namespace rankone

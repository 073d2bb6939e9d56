// SPDX-License-Identifier: MIT
// The tuned schedule for a variant on a device, if there is one.
#include "autotune/lookup.hpp"

#include <algorithm>

#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "codegen/family.hpp"
#include "runtime/paths.hpp"

namespace rankone {
namespace {

// Whether a pin that the schedule's family knows is the reason for it.
bool has_pins_of(const CompileOptions& options, const Schedule& schedule) {
  if (options.pins.family && options.pins.family != schedule.family) return false;
  return std::ranges::any_of(family_of(schedule.family).knobs, [&](const KnobRow& row) {
    const auto pinned = row.knob->pinned(options.pins);
    return pinned && *pinned == row.knob->get(schedule);
  });
}

}  // namespace

std::optional<std::filesystem::path> tuned_user_folder() {
  const auto data = data_directory();
  if (!data) return std::nullopt;
  return std::filesystem::path(data->value) / "tuned";
}

std::filesystem::path require_tuned_user_folder() {
  if (const auto folder = tuned_user_folder()) return *folder;
  throw Error(ErrorCode::not_found, "there is no folder for tuned data", "none of the settings",
              "RANKONE_DATA_DIR, XDG_DATA_HOME or HOME", "environment");
}

std::vector<std::filesystem::path> tuned_folders() {
  std::vector<std::filesystem::path> folders;
  if (const auto own = tuned_user_folder()) folders.push_back(*own);
  return folders;
}

std::optional<TunedChoice> tuned_choice(const Variant& variant, const CompileOptions& options,
                                        const std::string& device, const std::string& arch, const Shape& shape) {
  if (device == "cpu") return std::nullopt;
  const ArchLimits limits = arch_limits(arch);
  const auto legal = [&](const Schedule& schedule) {
    return why_illegal({variant, options, limits}, schedule).empty();
  };
  return lookup_tuned(tuned_folders(), device, arch, tuned_key(variant, options, shape), legal, shipped_files());
}

ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch, const std::optional<Shape>& expected) {
  const Schedule otherwise = expected ? default_schedule(variant, options, arch, *expected)
                                      : default_schedule(variant, options, arch);  // refuses what cannot be
  if (!device.is_cpu() && device.arch() == arch) {
    // Where the sizes of the coming calls are not known, a typical one stands for them.
    const Shape shape = expected.value_or(Shape{.batch = 8, .tokens = 4096, .heads = 16});
    if (const auto tuned = tuned_choice(variant, options, device.name(), std::string(arch), shape))
      return {tuned->schedule,
              tuned->origin == tuned_exactly && !expected ? "tuned for " + tuned->shape : tuned->origin, expected};
  }
  return {otherwise, pins_of(variant, options) != Pins{} ? "pinned" : "default", expected};
}

ChosenSchedule chosen_for(Pass pass, const Variant& variant, const CompileOptions& options, std::string_view arch,
                          const ChosenSchedule& forward) {
  const Schedule schedule = schedule_for(pass, variant, options, arch, forward);
  if (pass != Pass::decode && pass != Pass::backward) return {schedule, forward.origin, forward.expected};
  return {schedule, has_pins_of(options, schedule) ? "pinned" : "default", forward.expected};
}

}  // namespace rankone

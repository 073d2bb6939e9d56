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

// Whether a pin is the reason for what a pass beside the forward pass has.
bool is_pinned(const CompileOptions& options, const Schedule& schedule) {
  return std::ranges::any_of(knobs_of(family_of(schedule.family), Pass::backward), [&](const KnobRow& row) {
    return pinned_beside(*row.knob, options.pins, schedule.family) == row.knob->get(schedule);
  });
}
bool keeps_pins(const CompileOptions& options, const Schedule& schedule) {
  return std::ranges::all_of(knobs_of(family_of(schedule.family), Pass::backward), [&](const KnobRow& row) {
    const auto pinned = pinned_beside(*row.knob, options.pins, schedule.family);
    return !pinned || *pinned == row.knob->get(schedule);
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
                                        const std::string& device, const std::string& arch, const Shape& shape,
                                        Pass pass) {
  if (device == "cpu") return std::nullopt;
  const ArchLimits limits = arch_limits(arch);
  const auto legal = [&](const Schedule& schedule) {
    if (pass == Pass::forward) return why_illegal({variant, options, limits}, schedule).empty();
    const bool may_serve = pass == Pass::backward || schedule.family == Family::recurrent;
    const bool may_be = options.pins.family != Family::recurrent || schedule.family == Family::recurrent;
    return may_serve && may_be && why_unfit({variant, options, limits}, schedule, pass).empty() &&
           keeps_pins(options, schedule);
  };
  return lookup_tuned(tuned_folders(), device, arch, tuned_key(variant, options, shape, pass), legal, shipped_files());
}

Shape typical_shape(Pass pass) {
  if (pass == Pass::decode) return {.batch = 128, .tokens = 1, .heads = 16};
  return {.batch = 8, .tokens = 4096, .heads = 16};
}

ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch, const std::optional<Shape>& expected) {
  ChosenSchedule chosen{.schedule = expected ? default_schedule(variant, options, arch, *expected)
                                             : default_schedule(variant, options, arch),  // refuses what cannot be
                        .origin = pins_of(variant, options) != Pins{} ? "pinned" : "default",
                        .expected = expected};
  if (device.is_cpu() || device.arch() != arch) return chosen;
  for (const Pass pass : {Pass::forward, Pass::backward, Pass::decode}) {
    if (!why_not_admitted(variant, pass).empty()) continue;
    // Where the sizes of the coming calls are not known, a typical one stands for them.
    const bool is_known = expected && (pass != Pass::decode || expected->tokens <= most_decoded_tokens);
    const Shape shape = is_known ? *expected : typical_shape(pass);
    const auto tuned = tuned_choice(variant, options, device.name(), std::string(arch), shape, pass);
    if (!tuned) continue;
    const std::string origin =
        tuned->origin == tuned_exactly && !is_known ? "tuned for " + tuned->shape : tuned->origin;
    if (pass != Pass::forward)
      chosen.beside.push_back({pass, tuned->schedule, origin});
    else
      chosen.schedule = tuned->schedule, chosen.origin = origin;
  }
  return chosen;
}

ChosenSchedule chosen_for(Pass pass, const Variant& variant, const CompileOptions& options, std::string_view arch,
                          const ChosenSchedule& forward) {
  ChosenSchedule chosen = forward;
  chosen.schedule = schedule_for(pass, variant, options, arch, forward);
  if (pass != Pass::decode && pass != Pass::backward) return chosen;
  const auto own = std::ranges::find(forward.beside, pass, &PassSchedule::pass);
  chosen.origin = own != forward.beside.end()           ? own->origin
                  : is_pinned(options, chosen.schedule) ? "pinned"
                                                        : "default";
  return chosen;
}

}  // namespace rankone

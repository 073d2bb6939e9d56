// SPDX-License-Identifier: MIT
// The tuned schedule for a variant on a device, if there is one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/device.hpp>

#include "autotune/database.hpp"
#include "codegen/choose.hpp"

namespace rankone {

// What a user tuned; none where no setting names a folder. What ships with the library comes after it.
std::optional<std::filesystem::path> tuned_user_folder();
// Throws Error(not_found) where no setting says where.
std::filesystem::path require_tuned_user_folder();
std::vector<std::filesystem::path> tuned_folders();

// Never tunes. None for the CPU device, whose times mean nothing, and where nothing legal was tuned.
std::optional<TunedChoice> tuned_choice(const Variant& variant, const CompileOptions& options,
                                        const std::string& device, const std::string& arch, const Shape& shape,
                                        Pass pass = Pass::forward);

// Of calls whose sizes are not known.
Shape typical_shape(Pass pass);

// How every command and compile() choose: what tuning found for the expected shape or, without one, for a typical one;
// else the default. Both under what is pinned. Throws Error where no schedule is legal. Likewise of backward and decoding.
ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch, const std::optional<Shape>& expected);

// That of a pass beside the forward pass it was chosen for.
ChosenSchedule chosen_for(Pass pass, const Variant& variant, const CompileOptions& options, std::string_view arch,
                          const ChosenSchedule& forward);

}  // namespace rankone

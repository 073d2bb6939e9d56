// SPDX-License-Identifier: MIT
// The tuned schedule for a variant on a device, if there is one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "autotune/database.hpp"
#include "runtime/tuned.hpp"

namespace rankone {

// The user's folder, which comes first, and the one that ships with the program or the installed library.
std::optional<std::filesystem::path> tuned_user_folder();
std::vector<std::filesystem::path> tuned_folders();

// Never tunes. None for the CPU device, whose times mean nothing, and where nothing legal was tuned.
std::optional<TunedChoice> tuned_choice(const Variant& variant, const CompileOptions& options,
                                        const std::string& device, const std::string& arch, const Dims& dims);

// The same choice as that of compile(), for this shape.
ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch, const Dims& dims);

}  // namespace rankone

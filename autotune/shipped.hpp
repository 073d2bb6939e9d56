// SPDX-License-Identifier: MIT
// Tuned schedules that the library brings along, so that they need not be found where it is installed.
#pragma once

#include <string_view>
#include <vector>

namespace rankone {

struct ShippedFile {
  std::string_view name, text;  // "nvidia-h200.json"
};
const std::vector<ShippedFile>& shipped_files();

}  // namespace rankone

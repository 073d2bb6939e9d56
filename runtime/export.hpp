// SPDX-License-Identifier: MIT
// Exported files of a plan, without a device.
#pragma once

#include <string>

#include <rankone/operator.hpp>

#include "codegen/plan.hpp"

namespace rankone {

// Where there is no NVRTC, or none that knows the architecture, the cubin is left out and the log says why.
ExportedFiles export_plan(const Plan& plan, const std::string& directory);

}  // namespace rankone

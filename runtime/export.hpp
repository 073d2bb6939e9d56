// SPDX-License-Identifier: MIT
// Exported files of a program, without a device.
#pragma once

#include <string>

#include <rankone/operator.hpp>

#include "codegen/program.hpp"

namespace rankone {

// Where there is no NVRTC, or none that knows the architecture, the cubin is left out and the log says why.
ExportedFiles export_program(const Program& program, const std::string& directory);

}  // namespace rankone

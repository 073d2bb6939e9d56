// SPDX-License-Identifier: MIT
// What somebody who loads an exported kernel needs to know, as JSON.
#pragma once

#include <string>

#include "codegen/program.hpp"

namespace rankone {

// The whole of it, for NAME.json beside NAME.cu: entries, argument struct with offsets, order of inputs, launch
// geometry, workspace, tensors. `key` is that of the compiled binary; may be empty.
std::string manifest_json(const Program& program, const std::string& key = {});

// One line of it that travels inside the cubin as NAME_manifest; the same for every architecture.
std::string launch_manifest(const Program& program);

}  // namespace rankone

// SPDX-License-Identifier: MIT
// What somebody who loads an exported kernel needs to know, as JSON.
#pragma once

#include <string>

#include "codegen/plan.hpp"

namespace rankone {

// The whole of it, for NAME.json beside NAME.cu: entries, argument struct with offsets, order of inputs, launch
// geometry, workspace, tensors. `key` is that of the compiled binary; may be empty.
std::string manifest_json(const Plan& plan, const std::string& key = {});

// One line of it that travels inside the cubin as NAME_manifest; the same for every architecture.
std::string launch_manifest(const Plan& plan);

}  // namespace rankone

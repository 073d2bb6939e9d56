// SPDX-License-Identifier: MIT
// The parts of emitted text that stand for one variant: struct Policy and struct Gate.
#pragma once

#include <string>

#include "codegen/program.hpp"

namespace rankone {

// Under other names where a text has several.
std::string policy_text(const Program& program, const std::string& name = "Policy");
std::string gate_text(const Program& program, const std::string& name = "Gate");

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The parts of emitted text that stand for one variant: struct Policy and struct Gate.
#pragma once

#include <string>

#include "codegen/program.hpp"

namespace rankone {

std::string policy_text(const Program& program);
std::string gate_text(const Program& program);

}  // namespace rankone

// SPDX-License-Identifier: MIT
// The parts of emitted text that stand for one variant: struct Policy and struct Gate.
#pragma once

#include <string>

#include "codegen/plan.hpp"

namespace rankone {

std::string policy_text(const Plan& plan);
std::string gate_text(const Plan& plan);

}  // namespace rankone

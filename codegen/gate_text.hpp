// SPDX-License-Identifier: MIT
// The parts of emitted text that stand for one variant: struct Policy and struct Gate.
#pragma once

#include <string>

#include "codegen/program.hpp"

namespace rankone {

// As a text calls them, of which a chain's has one for either pass.
inline std::string policy_name(const Variant& variant) {
  return variant.stage_ == Stage::first ? "First" : variant.stage_ == Stage::second ? "Second" : "Policy";
}
inline std::string gate_name(const Variant& variant) {
  return variant.stage_ == Stage::only ? "Gate" : policy_name(variant) + "Gate";
}

std::string policy_text(const Program& program);
std::string gate_text(const Program& program);

}  // namespace rankone

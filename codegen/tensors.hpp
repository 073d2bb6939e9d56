// SPDX-License-Identifier: MIT
// The tensors of a pass: what a caller gives and gets.
#pragma once

#include <vector>

#include "codegen/program.hpp"

namespace rankone {

// The variant's own token inputs and parameters, in the order of Arguments.
std::vector<TensorPlan> gate_inputs(const Variant& variant, const CompileOptions& options);
std::vector<TensorPlan> parameters(const Variant& variant, const CompileOptions& options);

// All inputs, then all outputs. K and V may be left open (0) in `options`.
std::vector<TensorPlan> tensors_of(const Variant& variant, const CompileOptions& options, Pass pass = Pass::forward);

}  // namespace rankone

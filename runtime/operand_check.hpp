// SPDX-License-Identifier: MIT
// Whether the numbers of a call are what a program's kernels are right for, where this process can read them.
#pragma once

#include <vector>

#include "codegen/program.hpp"
#include "runtime/call_tensor.hpp"

namespace rankone {

// Throws Error(invalid_argument) that names the tensor and the element. What is not finite has a meaning of its own, and
// passes. `tensors`: those of a call of the program that was found right, in this process's memory; others are not read.
void check_operands(const Program& program, const std::vector<CallTensor>& tensors);

}  // namespace rankone

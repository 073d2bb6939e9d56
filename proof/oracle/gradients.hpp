// SPDX-License-Identifier: MIT
// The gradients of every variant: its recurrence gone through in reverse, token by token, in float64.
#pragma once

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

namespace rankone {

// Reads and writes host memory, as oracle_forward() does; of `options` it uses the same. Gradients are 0 where no packed
// sequence stands. Throws Error before anything is written.
void oracle_backward(const Variant& variant, const CompileOptions& options, const BackwardArguments& arguments);

}  // namespace rankone

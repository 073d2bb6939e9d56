// SPDX-License-Identifier: MIT
// How far from the recurrence a right kernel may be.
#pragma once

#include <string_view>

#include "proof/problem.hpp"

namespace rankone {

// Of the relative error of `o` or of a state: what the type costs the catalogue, and in quadrature what each operand costs
// that the variant's own formulas round once more. Of the catalogue `o` has 3.2e-3 in bf16, 7e-4 in f16, 7.6e-4 in f32 with
// tf32 products; in f32 by three products 4.6e-7, more on tensor cores and over many thousand tokens.
// Of a chain each tensor is its pass's; `o` has what the first pass errs by in float32 on top.
// Of a gradient: 4e-3 in bf16, 5e-4 in f16, 2e-5 in f32; more where products of matrices have a part in it.
double error_bound(const Problem& problem, std::string_view tensor, bool on_tensor_cores);

// Of a gradient: sums in float32 whatever q, k and v are, off by at most 1.2e-6 over the catalogue and random declarations, and
// half a unit of the last digit of its own type. Sums of few `elements` have no typical error.
double gradient_bound(dtype type, double elements = 4096);
// Where the backward pass runs in chunks, operands of products are rounded.
struct ChunkRounding {
  double error = 0;         // what that adds, in quadrature
  double coarser_than = 1;  // half a digit of an operand, in those of float32
};
ChunkRounding chunk_rounding(const Variant& variant, const CompileOptions& options);
// Both.
double gradient_bound(const Variant& variant, const CompileOptions& options, dtype type, double elements = 4096);

// How many elements of a tensor err by themselves. `effective_rows` as compare() counts them.
double independent_elements(const Problem& problem, std::string_view tensor, double effective_rows);

// What the bound is multiplied with where so few elements err by themselves that their error is not the typical one: a
// mean square of n has a spread of 1 / sqrt(n). 1 from 4096 elements on.
double allowance_for(double elements);

}  // namespace rankone

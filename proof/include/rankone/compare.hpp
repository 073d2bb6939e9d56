// SPDX-License-Identifier: MIT
// How far a result is from the definition.
#pragma once

#include <cstdint>

#include <rankone/tensor.hpp>

namespace rankone {

struct Comparison {
  double relative_error = 0;  // norm(x - r) / max(norm(r), 1e-6 sqrt(n)); NaN where there is one
  double worst_row = 0;       // the largest norm(x - r) of a row, over the larger of norm(r) there and the RMS row norm
  std::int64_t worst_index = 0;  // which row, counted over all leading dimensions
  // How many rows count: their number where all are of one size, 1 where one is much larger than the others.
  double effective_rows = 0;
  bool ok = false;  // within the bound that was asked for

  bool within(double bound) const;  // relative_error <= bound, and worst_row <= 5 bound; never with a NaN
};

// A row is the last dimension. Tensors of this process's memory and of one shape, any strides, types and ranks; without
// elements they agree. Throws Error(invalid_argument) where they are no such tensors, and Error(unsupported) where memory
// does not suffice for their rows.
Comparison compare(const Tensor& result, const Tensor& reference, double bound);

}  // namespace rankone

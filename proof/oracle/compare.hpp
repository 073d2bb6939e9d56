// SPDX-License-Identifier: MIT
// How far a result is from the definition.
#pragma once

#include <cstdint>
#include <vector>

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

struct Compared {
  Tensor result, reference;
};
// Several results of one shape count as one: their errors and norms are pooled. A tensor of few elements says little by
// itself, since a single one may be near 0; nor does a row of few, so that neighbours are taken together until they have
// 16 elements.
Comparison compare(const std::vector<Compared>& draws, double bound);

// A row is the last dimension. Host tensors of one shape, any strides, types and ranks; without elements they agree.
Comparison compare(const Tensor& result, const Tensor& reference, double bound);

}  // namespace rankone

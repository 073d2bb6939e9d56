// SPDX-License-Identifier: MIT
// How far several results together are from the definition.
#pragma once

#include <vector>

#include <rankone/compare.hpp>

namespace rankone {

struct Compared {
  Tensor result, reference;
};
// Several results of one shape count as one: their errors and norms are pooled. A tensor of few elements says little by
// itself, since a single one may be near 0; nor does a row of few, so that neighbours are taken together until they have
// 16 elements.
Comparison compare(const std::vector<Compared>& draws, double bound);

}  // namespace rankone

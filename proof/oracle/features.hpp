// SPDX-License-Identifier: MIT
// What a feature map makes of a row of elements, piece by piece, and the same in reverse.
#pragma once

#include <vector>

#include <rankone/dsl/features.hpp>

#include "proof/oracle/formula_rows.hpp"
#include "proof/oracle/formula_slopes.hpp"

namespace rankone::recurrence {

// Of a variant without a feature map there are no pieces.
class Features {
 public:
  Features(const Variant& variant, std::int64_t key_dim, const GivenArguments& arguments);
  bool given() const { return !pieces_.empty(); }
  // Of the elements of a place, F features side by side.
  void operator()(const Place& place, double* features);

 private:
  std::vector<FormulaRows> pieces_;
};

class FeatureSlopes {
 public:
  FeatureSlopes() = default;
  FeatureSlopes(const Variant& variant, std::int64_t key_dim, const GivenArguments& arguments);
  bool given() const { return !pieces_.empty(); }
  // From the slopes of F features to those of the K elements, to which it adds.
  void add(const Place& place, const double* slopes, double* elements);

 private:
  std::vector<FormulaSlopes> pieces_;
};

}  // namespace rankone::recurrence

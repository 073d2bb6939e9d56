// SPDX-License-Identifier: MIT
// From the slopes of a formula's results, row by row, to those of what it reads.
#include "proof/oracle/formula_slopes.hpp"

#include <algorithm>

#include <rankone/dsl/gradients.hpp>

#include "proof/oracle/bind.hpp"

namespace rankone::recurrence {

double* LeafRows::of(Operation leaf) const {
  switch (leaf) {
    case Operation::element:
    case Operation::other: return element;
    case Operation::query: return query;
    case Operation::key: return key;
    case Operation::value: return value;
    case Operation::decay: return decay;
    case Operation::read: return read;
    case Operation::normaliser: return normaliser;
    case Operation::scanned: return scanned;
    case Operation::scanned_before: return scanned_before;
    default: return nullptr;
  }
}

FormulaSlopes::FormulaSlopes(const Slot& slot, const Expression& formula, std::int64_t key_dim, std::int64_t value_dim,
                             const GivenArguments& arguments, std::span<const NamedTensor> gradients)
    : keys_(slot.domain.has(Axes::key) ? key_dim : 1), values_of_key_(slot.domain.has(Axes::value) ? value_dim : 1),
      mixes_keys_(reduces_keys(formula)) {
  reverse::Sweep sweep(formula);
  sweep.seed(static_cast<short>(formula.size - 1), sweep.leaf(slope_leaf));
  sweep.run();
  rows_ = FormulaRows(slot, sweep.graph(), key_dim, value_dim, arguments);
  for (int i = 0; i < formula.size; ++i) {
    const Leaf leaf = formula.leaf(formula[i]);
    if (sweep.slope(i) == reverse::zero || operand_count(leaf.operation) > 0) continue;
    Target target{.leaf = leaf.operation, .node = sweep.slope(i)};
    if (is_tensor(leaf.operation)) {
      const Tensor& gradient = *find(gradients, leaf.view());
      target.gradient = static_cast<double*>(gradient.data);
      target.strides = strides_of(gradient, leaf, slot);
    }
    targets_.push_back(target);
  }
}

void FormulaSlopes::add(const Place& place, const double* slopes, const LeafRows& rows) {
  const auto is_zero = [](double slope) { return slope == 0; };
  if (std::all_of(slopes, slopes + rows_.width(), is_zero)) return;
  Place at = place;
  at.slope = slopes;
  rows_(at);
  for (const Target& target : targets_) {
    const double* const found = rows_.row(target.node);
    double* const row = rows.of(target.leaf);
    if (row == nullptr && target.gradient == nullptr) continue;
    const std::int64_t offset = target.strides.offset_of(place);
    for (std::int64_t i = 0, at_result = 0; i < keys_; ++i)
      for (std::int64_t j = 0; j < values_of_key_; ++j, ++at_result) {
        if (slopes[at_result] == 0 && !mixes_keys_) continue;
        // Elements are fewer than pairs of them.
        const std::int64_t at_leaf = target.leaf == Operation::element ? i
                                     : target.leaf == Operation::other ? j
                                                                       : at_result;
        double& sum =
            row != nullptr ? row[at_leaf] : target.gradient[offset + i * target.strides.key + j * target.strides.value];
        sum += found[at_result];
      }
  }
}

}  // namespace rankone::recurrence

// SPDX-License-Identifier: MIT
// From the slopes of a formula's results, row by row, to those of what it reads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <rankone/dsl/expression.hpp>
#include <rankone/dsl/slots.hpp>

#include "proof/oracle/formula_rows.hpp"

namespace rankone::recurrence {

// What leaves that are rows add to; null: nobody asks.
struct LeafRows {
  double *element = nullptr, *query = nullptr, *key = nullptr, *value = nullptr, *decay = nullptr, *read = nullptr,
         *normaliser = nullptr, *scanned = nullptr, *scanned_before = nullptr;
  double* of(Operation leaf) const;
};

class FormulaSlopes {
 public:
  FormulaSlopes() = default;  // of no formula
  // `gradients`: float64 tensors by the names of the inputs and parameters whose gradients they are.
  FormulaSlopes(const Slot& slot, const Expression& formula, std::int64_t key_dim, std::int64_t value_dim,
                const GivenArguments& arguments, std::span<const NamedTensor> gradients);
  bool given() const { return rows_.given(); }
  std::int64_t width() const { return rows_.width(); }
  // `slopes` has a number for each of the formula's results. Where it is 0, nothing is added: where a factor is infinite,
  // too.
  void add(const Place& place, const double* slopes, const LeafRows& rows);

 private:
  struct Target {
    Operation leaf;
    short node;                  // its slope
    double* gradient = nullptr;  // of an input or a parameter
    Strides strides{};
  };
  FormulaRows rows_;
  std::vector<Target> targets_;
  std::int64_t keys_ = 1, values_of_key_ = 1;
  bool mixes_keys_ = false;
};

}  // namespace rankone::recurrence

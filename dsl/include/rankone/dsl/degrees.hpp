// SPDX-License-Identifier: MIT
// In which power of the state's units a formula comes out, where the state has units: beside a running maximum.
#pragma once

#include <rankone/dsl/expression.hpp>

namespace rankone {

// read(), normaliser() and unit() have the first power, all other leaves none. Sums and maxima are of equal ones.
class Degrees {
 public:
  constexpr explicit Degrees(const Expression& formula) {
    for (int i = 0; i < formula.size; ++i) degrees_[i] = checked(of(formula[i]));
    root_ = formula.size > 0 ? degrees_[formula.size - 1] : unknown;
  }
  // Whether the formula is the same in whatever units.
  constexpr bool is_zero() const { return root_ == 0 || root_ == any; }

 private:
  static constexpr int most = 100, any = 1000, unknown = 1001;  // any: of zero; unknown: no power says it

  static constexpr int checked(int degree) {
    return degree == any || (degree >= -most && degree <= most) ? degree : unknown;
  }
  constexpr int of(const Node& node) const {
    const int x = node.left < 0 ? 0 : degrees_[node.left], y = node.right < 0 ? 0 : degrees_[node.right];
    if (x == unknown || y == unknown) return unknown;
    const bool is_nothing = x == any;
    switch (node.operation) {
      case Operation::constant: return node.value == 0 ? any : 0;
      case Operation::read:
      case Operation::normaliser:
      case Operation::unit: return 1;
      case Operation::negate:
      case Operation::relu: return x;
      case Operation::step: return 0;
      case Operation::square: return is_nothing ? any : 2 * x;
      case Operation::sqrt: return is_nothing ? any : x % 2 == 0 ? x / 2 : unknown;
      case Operation::add:
      case Operation::subtract:
      case Operation::minimum:
      case Operation::maximum: return is_nothing ? y : y == any || x == y ? x : unknown;
      case Operation::multiply: return is_nothing || y == any ? any : x + y;
      case Operation::divide: return is_nothing ? any : y == any ? unknown : x - y;
      default: return x == 0 || is_nothing ? 0 : unknown;  // leaves, and functions of numbers without units
    }
  }
  int degrees_[max_nodes]{}, root_ = 0;
};

}  // namespace rankone

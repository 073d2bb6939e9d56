// SPDX-License-Identifier: MIT
// Formulas drawn at random: legal in their place, and tame enough that two ways to compute one agree.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rankone/dsl.hpp>

namespace rankone::test {

// Numbers from a seed, the same on every platform.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  int below(int count) { return static_cast<int>(next() % static_cast<std::uint64_t>(count)); }
  int between(int low, int high) { return low + below(high - low + 1); }
  bool once_in(int count) { return below(count) == 0; }
  template <class T> T among(std::initializer_list<T> values) {
    return values.begin()[below(static_cast<int>(values.size()))];
  }

 private:
  std::uint64_t state_;
};

// Where a formula stands: what it may read.
struct FormulaPlace {
  bool per_key = false, per_value = false;
  bool varies = true;                               // from token to token
  bool key = false;                                 // reads key()
  bool decay = false;                               // reads decay()
  bool query = false, value = false, read = false;  // likewise
  bool element = false;                             // of element() and numbers alone
};

class Formulas {
 public:
  explicit Formulas(Chance& chance) : chance_(chance) {}

  Expression log_decay(const FormulaPlace& place, int depth);  // at most 0
  Expression key(const FormulaPlace& place, int depth);
  Expression write_scale(const FormulaPlace& place, int depth);
  Expression feature_map(int depth);
  Expression pieces(int depth);       // a feature map with a dimension of its own
  Expression erase_scale(int depth);  // from 0 to 1
  Expression erase_key(int depth);    // no longer than the key
  Expression erase_value(int depth);  // nor than the value
  // `alone`: without the key or value of the same token.
  Expression query(int depth, bool alone = false);
  Expression value(int depth);
  Expression bonus(int depth);
  Expression phase(const FormulaPlace& place, int depth);  // more than a half turn to both sides
  Expression output(int depth, bool alone = false);
  void forget_inputs();  // those so far are not read again
  Expression write_log_scale(int depth);
  // Of a scan: small ones below 0, or logarithms.
  Expression scan_term(bool of_exponentials, int depth);
  // Free of the units of a running maximum; it divides by a normaliser where that `is_positive`.
  Expression output_without_units(int depth, bool is_positive);
  // Reads a normaliser, which may be a denominator where it `is_positive`.
  Expression normalised_output(int depth, bool is_positive);

 private:
  Chance& chance_;
  const bool reduces_keys_ = chance_.once_in(6);  // sums and maxima over keys: what has them has no form in chunks
  int inputs_ = 0, parameters_ = 0;
  std::vector<Leaf> known_{};  // tensors with axes of their own

  Expression read_again(const FormulaPlace& place);
  Axes axes(const FormulaPlace& place, bool of_parameter);
  Expression tensor(const FormulaPlace& place, Operation operation);
  Expression leaf(const FormulaPlace& place);
  Expression moderate(const FormulaPlace& place, int depth);  // most often within a few units of 0
  Expression bounded(const FormulaPlace& place, int depth);   // from -1 to 1
  Expression positive(const FormulaPlace& place, int depth);  // from about 0 to a few units
  Expression of_row(const FormulaPlace& place, int depth);    // from -1 to 1
  Expression of_place();                                      // of a token or a head: from -1 to 1
  Expression of_pair(int depth);
};

}  // namespace rankone::test

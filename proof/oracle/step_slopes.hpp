// SPDX-License-Identifier: MIT
// One token of the recurrence in reverse.
#pragma once

#include <array>
#include <span>

#include "proof/oracle/formula_slopes.hpp"
#include "proof/oracle/step.hpp"

namespace rankone::recurrence {

class StepSlopes {
 public:
  // `gradients`: of all tensors that tokens and formulas read, float64, by the names of those.
  StepSlopes(const Step& step, const GivenArguments& given, std::span<const NamedTensor> gradients);

  // Of a token that `step` has evaluated. `slopes`: of the loss by the state behind the token; becomes that by the state
  // before it, which is `before`. `output`: by the token's output. Adds to the gradients.
  void go_back(Step& step, const Row& before, const double* output, Row& slopes);
  // Of a bidirectional variant: from a token's output, with all that was read for it, to the slopes of that, `read_slopes`;
  // then, with these, of either walk, upward or downward.
  void go_back_from_output(Step& step, const Row& read, const double* output, Row& read_slopes);
  void go_back_one_way(Step& step, const Row& before, const Row& read_slopes, bool is_upward, Row& slopes);
  // Of a non-causal variant: of a query, which has read `state`, and then of a key.
  void go_back_from_query(Step& step, const Row& state, const double* output, Row& slopes);
  void go_back_from_key(const Step& step, const Row& slopes);

 private:
  void read(Step& step, const Row& state, const double* output);
  void pass_output(Step& step, const double* output);
  void pass_read(const Step& step, const Row& state, bool has_own);
  void enter(Step& step, const Row& before);
  void pass_state(Step& step, const Row& before, bool reads_before, Row& slopes);
  void write(const Step& step, const Row& slopes);
  void erase(const Step& step, const Row& slopes);
  void erase_values(const Step& step, const Row& slopes);
  void add_erased(const Step& step, Row& slopes) const;
  void pass_erase_read(const Step& step, const Row& read_of);
  void decay(const Step& step, const Row& decayed, const Row& slopes);
  // Those of what the token's key and value are written again by, and then of what it writes again itself.
  void take_lagged(const Step& step, const Row& slopes);
  void write_again(const Step& step, const Row& before, Row& slopes);
  void phase(const Step& step, const Row& decayed, const Row& slopes);
  struct Sides {
    bool query = true, key = true;
  };
  void clear_sums(const Step& step);
  void pass_formulas(const Step& step, Sides sides = {true, true});
  void pass_scan(const Step& step, Row& slopes);
  void add_to_tensors(const Step& step, Sides sides = {true, true});
  void add_query(const Step& step, Row& slopes) const;
  void add(const Step& step, Formula formula, const double* slopes, const LeafRows& rows);

  FormulaSlopes& slopes_of(Formula formula) { return formulas_[static_cast<std::size_t>(formula)]; }

  std::array<FormulaSlopes, formula_slots.size()> formulas_;  // the feature map's apart
  FeatureSlopes features_;
  Tensor dq_, dk_, dv_;
  bool reads_query_, reads_key_;
  // By what a step has under these names.
  Row query_, key_, value_, bonus_, erase_read_, erase_write_, erased_, read_, log_decay_, phase_, q_, k_, v_, factors_;
  Row value_erase_read_, value_erase_write_, erased_keys_;
  Row normaliser_;  // by what each column's output reads of it
  Row scanned_, scanned_before_;
  double write_ = 0, erase_ = 0, value_erase_ = 0, lagged_ = 0;
  Row result_, decayed_, behind_;
};

}  // namespace rankone::recurrence

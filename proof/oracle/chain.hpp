// SPDX-License-Identifier: MIT
// A chain in float64: one pass after the other.
#pragma once

#include <rankone/oracle.hpp>

#include "proof/oracle/bind.hpp"

namespace rankone::recurrence {

// Of a variant that is no chain, or of a pass of one; not judged.
void run_forward(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments);
void run_chain(const Variant& chain, const CompileOptions& options, const ForwardArguments& arguments);

// What the first pass has read of each token of a call.
class Passed {
 public:
  Passed(const Variant& chain, const CompileOptions& options, const ForwardArguments& arguments);
  Passed(const Variant& chain, const CompileOptions& options, const BackwardArguments& arguments);

  // A pass's own, the second one's with what has been passed on to it; `do` of the first is left to the caller.
  ForwardArguments arguments_of(Stage stage, const ForwardArguments& of_chain) const;
  BackwardArguments arguments_of(Stage stage, const BackwardArguments& of_chain) const;

  const Sizes sizes;  // of the chain

 private:
  void run(const ForwardArguments& of_first);

  const Variant& chain_;
  const CompileOptions& options_;
  OracleTensor passed_;
};

}  // namespace rankone::recurrence

// SPDX-License-Identifier: MIT
// Is a kernel right? Its outputs on drawn inputs against the oracle, under the bounds that its types allow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rankone/operator.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

namespace rankone {

struct TensorError {
  std::string name;
  // norm(x - r) / norm(r); the bound with its allowances, for few elements and for terms that cancel.
  double relative_error = 0, bound = 0;
  double worst_row = 0;  // the error of one row, which may be 5 bounds
  bool ok = false;
  std::string inputs{};  // "random", "equal" or "strong": those under which it was off by most of its bound
};

struct CheckOptions {
  Shape shape{.batch = 1, .tokens = 150, .heads = 1};  // sizes from 1; `sequences` stays 0
  std::uint64_t seed = 1;
  // T is split into uneven sequences, some of them empty; B has to be 1.
  bool packed = false;
  bool initial_state = true;
  std::vector<NamedScalar> scalars{};  // those left out have defaults
  // Or backward; or decode: B rows of T tokens, 1 to 8, some of which do nothing; then every byte of the pool is looked at.
  Pass pass = Pass::forward;
};

struct CheckReport {
  bool ok = false;                     // all of them
  std::vector<TensorError> tensors{};  // each output of the pass, the worst of three kinds of inputs
  int draws = 0;  // how often random inputs were drawn, so that each output has enough elements to judge by
};

// Runs the pass on the operator's device, in memory that is taken and given back here, and waits for it: on random inputs;
// on equal tokens under weak decays, where every rounding errs the same way; and on random ones under strong decays, where a
// token is soon forgotten. A kind that the variant's formulas do not allow is left out; so are for backward equal tokens,
// and of strong decays the gradients of what formulas read: there they are small differences of large sums. The emulation
// of the CPU device takes some seconds for a thousand tokens of a head.
// A wrong result is a report that is not `ok`. Throws Error(invalid_argument) for a shape, a scalar or an operator that
// cannot be checked, Error(unsupported) where memory does not suffice, and Error(check_failed) where a kernel wrote
// outside its outputs or the CPU device found a race.
CheckReport check(const Operator& op, const CheckOptions& options = {});

}  // namespace rankone

// SPDX-License-Identifier: MIT
// Is a kernel right? Its outputs on drawn inputs against the oracle, under the bounds that its types allow.
#include <rankone/check.hpp>

#include <algorithm>
#include <cmath>

#include <rankone/error.hpp>

#include "codegen/names.hpp"
#include "proof/verify.hpp"

namespace rankone {

namespace {

// What it is off by, in bounds; a NaN is the worst.
double badness(const TensorError& error) {
  const double off = std::max(error.relative_error, error.worst_row / 5) / error.bound;
  return std::isnan(off) || std::isnan(error.worst_row) ? INFINITY : off;
}

}  // namespace

CheckReport check(const Operator& op, const CheckOptions& options) {
  if (options.pass != Pass::forward && options.pass != Pass::backward && options.pass != Pass::decode)
    throw Error(ErrorCode::unsupported, "there is no check of this pass",
                std::string(name_in(pass_names, options.pass)), "forward, backward or decode", "check");
  require_admitted(op.variant(), options.pass);
  const Dims dims = drawn_dims(op.options(), options.shape, "check");
  CheckReport report{.ok = true};
  for (const Inputs kind : {Inputs::random, Inputs::equal, Inputs::strong}) {
    const auto inputs = [&](int i) -> RandomInputs {
      return {.seed = seed_of_draw(options.seed, i),
              .initial_state = options.initial_state,
              .packed = options.packed,
              .scalars = options.scalars,
              .kind = kind,
              .pass = options.pass};
    };
    if (!is_drawable(op.variant(), dims, inputs(0))) continue;
    PooledErrors errors =
        verify(op, [&](int i) { return random_problem(op.variant(), op.options(), dims, inputs(i)); });
    report.ok = report.ok && std::ranges::all_of(errors.tensors, &TensorError::ok);
    if (kind == Inputs::random) {
      report.tensors = std::move(errors.tensors);
      report.draws = errors.draws;
      continue;
    }
    for (std::size_t i = 0; i < report.tensors.size(); ++i)
      if (badness(errors.tensors[i]) > badness(report.tensors[i])) report.tensors[i] = std::move(errors.tensors[i]);
  }
  return report;
}

}  // namespace rankone

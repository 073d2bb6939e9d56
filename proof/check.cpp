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

// Whether inputs of a kind say something of a pass: gradients of equal tokens are small differences of large sums.
bool tell_of(Inputs kind, Pass pass) { return pass != Pass::backward || kind != Inputs::equal; }
// And of one of its outputs: so are gradients of what formulas read, where a token is soon forgotten.
bool tell_of(Inputs kind, const Port* output) {
  const bool is_gradient = output != nullptr && output->role == PortRole::gradient;
  return !is_gradient || kind == Inputs::random || !is_of_formulas(*output);
}

}  // namespace

CheckReport check(const Operator& op, const CheckOptions& options) {
  if (options.pass != Pass::forward && options.pass != Pass::backward && options.pass != Pass::decode)
    throw Error(ErrorCode::unsupported, "there is no check of this pass",
                std::string(name_in(pass_names, options.pass)), "forward, backward or decode", "check");
  require_admitted(op.variant(), options.pass);
  const Dims dims = drawn_dims(op.options(), options.shape, "check");
  const std::vector<Port> all = ports(op.variant(), op.options(), options.pass);
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
    if (!tell_of(kind, options.pass) || !is_drawable(op.variant(), dims, inputs(0))) continue;
    PooledErrors errors =
        verify(op, [&](int i) { return random_problem(op.variant(), op.options(), dims, inputs(i)); });
    std::erase_if(errors.tensors, [&](const TensorError& each) { return !tell_of(kind, find_port(all, each.name)); });
    report.ok = report.ok && std::ranges::all_of(errors.tensors, &TensorError::ok);
    if (kind == Inputs::random) {
      report.tensors = std::move(errors.tensors);
      report.draws = errors.draws;
      continue;
    }
    for (TensorError& each : errors.tensors) {
      TensorError& worst = *std::ranges::find(report.tensors, each.name, &TensorError::name);
      if (badness(each) > badness(worst)) worst = std::move(each);
    }
  }
  return report;
}

}  // namespace rankone

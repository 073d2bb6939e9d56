// SPDX-License-Identifier: MIT
// Is a kernel right? Its outputs against the recurrence in float64, under the bounds that its types allow.
#include "autotune/verify.hpp"

#include "autotune/launch.hpp"
#include "codegen/tensors.hpp"
#include "runtime/oracle/compare.hpp"
#include "runtime/oracle/oracle.hpp"

namespace rankone {

double error_bound(const CompileOptions& options) {
  if (options.dtype == dtype::bf16) return 4e-3;
  if (options.dtype == dtype::f16) return 1e-3;
  return options.precision == Precision::f32 ? 2e-5 : 1e-3;
}

std::vector<HostTensor> reference_outputs(Problem& problem) {
  ForwardArguments arguments{.scalars = problem.scalars, .scale = problem.scale};
  for (HostTensor& tensor : problem.tensors) bind(arguments, tensor.name, tensor.view());
  std::vector<HostTensor> results;
  results.reserve(2);
  for (const TensorPlan& plan : tensors_of(problem.variant, problem.options)) {
    if (plan.name != "o" && plan.name != "final_state") continue;
    HostTensor& tensor = results.emplace_back(make_tensor(plan.name, dtype::f64, sizes_of(plan, problem.dims)));
    bind(arguments, tensor.name, tensor.view());
  }
  oracle_forward(problem.variant, problem.options, arguments);
  return results;
}

std::vector<TensorError> verify(const Operator& op, const Problem& problem, std::vector<HostTensor>& reference) {
  Launch launch(op, problem, true);
  launch.poison();
  launch.forward();
  std::vector<HostTensor> results = launch.outputs();
  std::vector<TensorError> errors;
  const double bound = error_bound(problem.options);
  for (HostTensor& result : results)
    for (HostTensor& expected : reference) {
      if (expected.name != result.name) continue;
      const Comparison comparison = compare(result.view(), expected.view(), bound);
      errors.push_back({result.name, comparison.relative_error, bound, comparison.ok});
    }
  return errors;
}

}  // namespace rankone

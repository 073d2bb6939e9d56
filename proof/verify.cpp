// SPDX-License-Identifier: MIT
// Is a kernel right? Its outputs against the recurrence in float64, under the bounds that its types allow.
#include "proof/verify.hpp"

#include <algorithm>
#include <cmath>

#include "codegen/ports.hpp"
#include "proof/launch.hpp"
#include "proof/oracle/compare.hpp"
#include "proof/oracle/oracle.hpp"
#include "runtime/call.hpp"

namespace rankone {

double error_bound(const CompileOptions& options) {
  if (options.dtype == dtype::bf16) return 4e-3;
  if (options.dtype == dtype::f16) return 1e-3;
  return options.precision == Precision::f32 ? 2e-5 : 1e-3;
}

double allowance_for(double elements) {
  constexpr double always = 0.5625, of_one = 28;  // of the square: 1 from 4096 elements on, 5.3 for one
  return std::sqrt(std::max(1.0, always + of_one / std::sqrt(std::max(elements, 1.0))));
}

std::uint64_t seed_of_draw(std::uint64_t seed, int draw) {
  constexpr std::uint64_t step = 0x9E3779B97F4A7C15;  // far from the next seeds that one would type
  return seed + static_cast<std::uint64_t>(draw) * step;
}

std::vector<HostTensor> reference_outputs(Problem& problem) {
  ForwardArguments arguments{.scalars = problem.scalars, .scale = problem.scale};
  for (HostTensor& tensor : problem.tensors) bind_tensor(arguments, tensor.name, tensor.view());
  std::vector<HostTensor> results;
  const std::vector<Port> outputs = ports_of(ports(problem.variant, problem.options), PortRole::output);
  results.reserve(outputs.size());  // the arguments point into them
  for (const Port& port : outputs) {
    HostTensor& tensor = results.emplace_back(make_tensor(port.name, dtype::f64, sizes_of(port.axes, problem.dims)));
    bind_tensor(arguments, tensor.name, tensor.view());
  }
  oracle_forward(problem.variant, problem.options, arguments);
  return results;
}

namespace {

constexpr std::int64_t enough_elements = 1024;
constexpr int most_draws = 64;

// What `op` wrote, beside what it should have.
struct Outcome {
  std::vector<HostTensor> results, reference;
};

std::vector<HostTensor> results_of(const Operator& op, const Problem& problem) {
  Launch launch(op, problem, true);
  launch.poison();
  launch.forward();
  return launch.outputs();
}

// The elements of a row share the roundings of its keys, of which `o` has K for each token and a state's row one: so many
// of them err by themselves.
std::int64_t independent_columns(const std::string& tensor, const Dims& dims) {
  const std::int64_t tokens =
      std::max<std::int64_t>(dims.batch * dims.tokens / std::max<std::int64_t>(dims.sequences, 1), 1);
  return std::min(dims.value_dim, tensor == "o" ? tokens * dims.key_dim : tokens);
}

std::vector<TensorError> errors_of(std::vector<Outcome>& outcomes, double bound, const Dims& dims) {
  std::vector<TensorError> errors;
  for (std::size_t i = 0; i < outcomes.front().results.size(); ++i) {
    const std::string& name = outcomes.front().results[i].name;
    std::vector<Compared> compared;
    for (Outcome& each : outcomes)
      for (HostTensor& expected : each.reference)
        if (expected.name == name) compared.push_back({each.results[i].view(), expected.view()});
    const Comparison comparison = compare(compared, bound);
    const double counted = comparison.effective_rows * static_cast<double>(independent_columns(name, dims));
    const double allowed = bound * allowance_for(counted);
    errors.push_back({name, comparison.relative_error, allowed, comparison.worst_row, comparison.within(allowed)});
  }
  return errors;
}

// How many draws give the smallest output enough elements.
int draws_for(std::vector<HostTensor>& results) {
  std::int64_t fewest = enough_elements;
  for (HostTensor& each : results) fewest = std::min(fewest, std::max<std::int64_t>(each.view().elements(), 1));
  return static_cast<int>(std::min<std::int64_t>((enough_elements + fewest - 1) / fewest, most_draws));
}

}  // namespace

std::vector<TensorError> verify(const Operator& op, const Problem& problem, std::vector<HostTensor>& reference) {
  std::vector<Outcome> outcomes(1);
  outcomes.front().results = results_of(op, problem);
  outcomes.front().reference.swap(reference);
  std::vector<TensorError> errors = errors_of(outcomes, error_bound(problem.options), problem.dims);
  outcomes.front().reference.swap(reference);
  return errors;
}

PooledErrors verify(const Operator& op, const std::function<Problem(int)>& draw) {
  return verify([&](const Problem& problem) { return results_of(op, problem); }, draw);
}

PooledErrors verify(const RunProblem& run, const std::function<Problem(int)>& draw) {
  std::vector<Outcome> outcomes;
  double bound = 0;
  Dims dims;
  for (int i = 0, draws = 1; i < draws; ++i) {
    Problem problem = draw(i);
    Outcome& outcome = outcomes.emplace_back();
    outcome.reference = reference_outputs(problem);
    outcome.results = run(problem);
    if (i > 0) continue;
    draws = draws_for(outcome.results);
    bound = error_bound(problem.options);
    dims = problem.dims;
  }
  return {errors_of(outcomes, bound, dims), static_cast<int>(outcomes.size())};
}

}  // namespace rankone

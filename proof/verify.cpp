// SPDX-License-Identifier: MIT
// Is a kernel right? Its outputs against the recurrence in float64, under the bounds that its types allow.
#include "proof/verify.hpp"

#include <algorithm>
#include <cmath>

#include "codegen/ports.hpp"
#include "proof/decode.hpp"
#include "proof/launch.hpp"
#include "proof/oracle/compare.hpp"
#include "proof/oracle/gradients.hpp"
#include "proof/oracle/oracle.hpp"
#include "proof/sensitivity.hpp"
#include "runtime/given_arguments.hpp"

namespace rankone {

std::uint64_t seed_of_draw(std::uint64_t seed, int draw) {
  constexpr std::uint64_t step = 0x9E3779B97F4A7C15;  // far from the next seeds that one would type
  return seed + static_cast<std::uint64_t>(draw) * step;
}

namespace {

// `bind_output(arguments, name, tensor)`
template <class Arguments, class BindOutput>
std::vector<HostTensor> bind_all(Problem& problem, Arguments& arguments, const BindOutput& bind_output) {
  arguments.scalars = problem.scalars;
  arguments.scale = problem.scale;
  for (HostTensor& tensor : problem.tensors) bind_tensor(arguments, tensor.name, tensor.view());
  std::vector<HostTensor> results;
  const std::vector<Port> outputs = written_ports(problem);
  results.reserve(outputs.size());  // the arguments point into them
  for (const Port& port : outputs) {
    HostTensor& tensor = results.emplace_back(make_tensor(port.name, dtype::f64, sizes_of(port.axes, problem.dims)));
    bind_output(arguments, tensor.name, tensor.view());
  }
  return results;
}

}  // namespace

std::vector<HostTensor> reference_outputs(Problem& problem) {
  if (problem.pass == Pass::decode) return decode_reference(problem);
  if (problem.pass == Pass::backward) {
    BackwardArguments arguments;
    std::vector<HostTensor> results = bind_all(problem, arguments, bind_gradient);
    oracle_backward(problem.variant, problem.options, arguments);
    return results;
  }
  ForwardArguments arguments;
  std::vector<HostTensor> results = bind_all(
      problem, arguments,
      [](ForwardArguments& to, const std::string& name, const Tensor& tensor) { bind_tensor(to, name, tensor); });
  oracle_forward(problem.variant, problem.options, arguments);
  return results;
}

namespace {

// Of an output; a parameter's gradient, and what a sequence has one of for each head, come of many tokens already.
constexpr std::int64_t enough_elements = 1024, enough_sums = 8;

// What `op` wrote, beside what it should have.
struct Outcome {
  std::vector<HostTensor> results, reference;
};

std::vector<HostTensor> results_of(const Operator& op, const Problem& problem) {
  Launch launch(op, problem, true);
  launch.poison();
  launch.run();
  return problem.pass == Pass::decode ? written_rows(problem, launch.outputs()) : launch.outputs();
}

std::vector<TensorError> errors_of(std::vector<Outcome>& outcomes, const Problem& problem, bool on_tensor_cores) {
  std::vector<TensorError> errors;
  for (std::size_t i = 0; i < outcomes.front().results.size(); ++i) {
    const std::string& name = outcomes.front().results[i].name;
    const double bound = error_bound(problem, name, on_tensor_cores);
    std::vector<Compared> compared;
    for (Outcome& each : outcomes)
      for (HostTensor& expected : each.reference)
        if (expected.name == name) compared.push_back({each.results[i].view(), expected.view()});
    const Comparison comparison = compare(compared, bound);
    const double allowed = bound * allowance_for(independent_elements(problem, name, comparison.effective_rows));
    errors.push_back({name, comparison.relative_error, allowed, comparison.worst_row, comparison.within(allowed),
                      std::string(name_of(problem.inputs))});
  }
  return errors;
}

bool is_of_parameter(const Problem& problem, std::string_view gradient) {
  const std::vector<Port> written = written_ports(problem);
  const Port* const port = find_port(written, gradient);
  return port != nullptr && port->role == PortRole::gradient && port->of == PortRole::parameter;
}

// Who computes in float32 throughout, as going back and in chains, is off by what that costs this problem, too. It is
// asked for where something is beyond its bound, since it takes the definition some times more: `draw(i)` is the problem
// of an outcome.
void allow_for_float32(std::vector<TensorError>& errors, const std::vector<Outcome>& outcomes, const Problem& problem,
                       const std::function<Problem(int)>& draw) {
  const bool is_in_float32 = problem.pass == Pass::backward || problem.variant.chains_;
  if (!is_in_float32 || std::ranges::all_of(errors, &TensorError::ok)) return;
  std::vector<Referred> draws;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    draws.push_back({draw(static_cast<int>(i)), &outcomes[i].reference});
  const std::vector<Sensitivity> all = float32_sensitivities(draws);
  for (TensorError& each : errors) {
    if (each.ok) continue;
    each.bound += allowance_for_rounding(problem, *std::ranges::find(all, each.name, &Sensitivity::name));
    each.ok = Comparison{.relative_error = each.relative_error, .worst_row = each.worst_row}.within(each.bound);
  }
}

// How many draws give each output enough elements.
int draws_for(std::vector<HostTensor>& results, const Problem& problem, int most_draws) {
  const std::vector<Port> written = written_ports(problem);
  std::int64_t draws = 1;
  for (HostTensor& each : results) {
    if (each.view().elements() == 0) continue;
    const Port* const port = find_port(written, each.name);
    const bool is_sum = port != nullptr &&
                        (is_of_parameter(problem, each.name) ||
                         (!port->axes.has(Axis::tokens) && !port->axes.has(Axis::key) && !port->axes.has(Axis::value)));
    const std::int64_t enough = is_sum ? enough_sums : enough_elements, elements = each.view().elements();
    draws = std::max(draws, (enough + elements - 1) / elements);
  }
  return static_cast<int>(std::min<std::int64_t>(draws, most_draws));
}

}  // namespace

double allowance_for_rounding(const Problem& problem, const Sensitivity& sensitivity) {
  constexpr double most_sensitivities = 4;  // for sums in another order
  if (!std::isfinite(sensitivity.relative)) return 0;
  const bool is_rounded = problem.pass == Pass::backward && is_of_parameter(problem, sensitivity.name);
  const double coarser = is_rounded ? chunk_rounding(problem.variant, problem.options).coarser_than : 1;
  return most_sensitivities * coarser * sensitivity.relative;
}

std::vector<TensorError> verify(const Operator& op, const Problem& problem, std::vector<HostTensor>& reference) {
  std::vector<Outcome> outcomes(1);
  outcomes.front().results = results_of(op, problem);
  outcomes.front().reference.swap(reference);
  std::vector<TensorError> errors = errors_of(outcomes, problem, !op.device().is_cpu());
  allow_for_float32(errors, outcomes, problem, [&](int) { return problem; });
  outcomes.front().reference.swap(reference);
  return errors;
}

namespace {

PooledErrors verify(const RunProblem& run, const std::function<Problem(int)>& draw, int most_draws,
                    bool on_tensor_cores) {
  std::vector<Outcome> outcomes;
  Problem first;
  for (int i = 0, draws = 1; i < draws; ++i) {
    Problem problem = draw(i);
    Outcome& outcome = outcomes.emplace_back();
    outcome.reference = reference_outputs(problem);
    outcome.results = run(problem);
    if (i > 0) continue;
    // Equal ones are the same again.
    if (problem.inputs != Inputs::equal) draws = draws_for(outcome.results, problem, most_draws);
    first = std::move(problem);
  }
  std::vector<TensorError> errors = errors_of(outcomes, first, on_tensor_cores);
  allow_for_float32(errors, outcomes, first, draw);
  return {std::move(errors), static_cast<int>(outcomes.size())};
}

}  // namespace

PooledErrors verify(const Operator& op, const std::function<Problem(int)>& draw, int most_draws) {
  return verify([&](const Problem& problem) { return results_of(op, problem); }, draw, most_draws,
                !op.device().is_cpu());
}

PooledErrors verify(const RunProblem& run, const std::function<Problem(int)>& draw, int most_draws) {
  return verify(run, draw, most_draws, false);
}

}  // namespace rankone

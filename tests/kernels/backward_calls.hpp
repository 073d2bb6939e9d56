// SPDX-License-Identifier: MIT
// Backward calls of random problems, and how far their gradients are from the oracle's.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <rankone/oracle.hpp>

#include "codegen/ports.hpp"
#include "proof/bounds.hpp"
#include "proof/launch.hpp"
#include "proof/oracle/compare.hpp"
#include "proof/sensitivity.hpp"
#include "proof/verify.hpp"
#include "runtime/given_arguments.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/laid.hpp"

namespace rankone::test {

// What forward was given, and the slopes of what it wrote.
struct BackwardProblem {
  Problem problem;
  HostTensor output_slope;
  std::vector<HostTensor> final_slopes{};  // of all that is carried

  BackwardProblem(Problem of, std::uint64_t seed, bool has_final_slope = true) : problem(std::move(of)) {
    output_slope = drawn("do", seed);
    if (!has_final_slope) return;
    for (const Port& port : ports(problem.variant, problem.options, Pass::backward))
      if (port.role == PortRole::state && port.name.starts_with("dfinal_state"))
        final_slopes.push_back(drawn(port.name, seed));
  }
  Problem whole() const {
    Problem all = problem;
    all.pass = Pass::backward;
    all.tensors.push_back(output_slope);
    all.tensors.insert(all.tensors.end(), final_slopes.begin(), final_slopes.end());
    return all;
  }
  std::vector<Port> gradients() const {
    return ports_of(ports(problem.variant, problem.options, Pass::backward), PortRole::gradient);
  }

 private:
  HostTensor drawn(const std::string& name, std::uint64_t seed) const {
    const std::vector<Port> all = ports(problem.variant, problem.options, Pass::backward);
    const Port& port = *find_port(all, name);
    HostTensor tensor = make_tensor(name, port.type, sizes_of(port.axes, problem.dims));
    constexpr std::uint64_t of_output = 1001;
    const std::uint64_t of_state = 1002 + final_slopes.size();  // each its own
    for (std::int64_t i = 0; i < tensor.view().elements(); ++i)
      store(tensor.bytes.data(), tensor.type, i,
            draw(Distribution::normal, seed, name == "do" ? of_output : of_state, static_cast<std::uint64_t>(i)));
    return tensor;
  }
};

// Which gradients are wanted, and how tensors of tokens lie.
struct BackwardRun {
  std::vector<std::string> unwanted{};
  std::optional<Layout> layout{};
  double more_of_parameters = 1;  // what the bounds of their gradients are multiplied with
};

// In the order of the ports; those that are not wanted are left out. Memory is poisoned before.
inline std::vector<HostTensor> gradients_of(const PassKernels& kernels, const Device& device,
                                            const BackwardProblem& call, const BackwardRun& how = {}) {
  std::vector<DeviceBuffer> buffers;
  std::vector<Laid> laid;
  laid.reserve(64);
  BackwardArguments arguments{.scalars = call.problem.scalars, .scale = call.problem.scale};
  const auto placed = [&](const HostTensor& tensor) {
    if (how.layout && tensor.shape.size() >= 3 && tensor.shape.size() <= 4 &&
        tensor.shape[1] == call.problem.dims.tokens)
      return laid.emplace_back(tensor, *how.layout).tensor();
    const DeviceBuffer& buffer = buffers.emplace_back(device, tensor.bytes.size());
    device.upload(buffer.data(), tensor.bytes.data(), tensor.bytes.size());
    return Tensor(buffer.data(), tensor.type, tensor.shape);
  };
  for (const HostTensor& tensor : call.problem.tensors) bind_tensor(arguments, tensor.name, placed(tensor));
  arguments.do_ = placed(call.output_slope);
  for (const HostTensor& slope : call.final_slopes) bind_tensor(arguments, slope.name, placed(slope));
  std::vector<HostTensor> results;
  std::vector<std::pair<const void*, Laid*>> places;
  for (const Port& port : call.gradients()) {
    if (std::ranges::find(how.unwanted, port.name) != how.unwanted.end()) continue;
    HostTensor tensor = make_tensor(port.name, port.type, sizes_of(port.axes, call.problem.dims));
    std::fill(tensor.bytes.begin(), tensor.bytes.end(), std::byte{0xff});
    const std::size_t before = laid.size();
    const Tensor there = placed(tensor);
    places.emplace_back(there.data, laid.size() > before ? &laid.back() : nullptr);
    bind_gradient(arguments, port.name, there);
    results.push_back(std::move(tensor));
  }
  Shape shape = call.problem.dims.shape();
  if (!arguments.cu_seqlens) shape.sequences = 0;
  const auto bytes = static_cast<std::size_t>(workspace_of(kernels.program()).evaluate(sizes_of(shape)));
  const DeviceBuffer workspace(device, std::max<std::size_t>(bytes, 16));
  const std::vector<std::byte> poison(bytes, std::byte{0xff});
  device.upload(workspace.data(), poison.data(), bytes);
  arguments.workspace = {static_cast<std::byte*>(workspace.data()), bytes};
  kernels.launch(kernels.bind(kernels.checker().backward(arguments)), nullptr);
  device.synchronize();
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (places[i].second != nullptr)
      results[i].bytes = places[i].second->gathered();
    else
      device.download(results[i].bytes.data(), places[i].first, results[i].bytes.size());
  }
  return results;
}

inline std::vector<HostTensor> gradients_of(const Operator& op, const BackwardProblem& call,
                                            const BackwardRun& how = {}) {
  return gradients_of(impl_of(op).backward(), op.device(), call, how);
}

inline std::vector<NamedOracleTensor> reference_gradients(BackwardProblem& call) {
  BackwardArguments arguments{.scalars = call.problem.scalars, .scale = call.problem.scale};
  for (HostTensor& tensor : call.problem.tensors) bind_tensor(arguments, tensor.name, tensor.view());
  arguments.do_ = call.output_slope.view();
  for (HostTensor& slope : call.final_slopes) bind_tensor(arguments, slope.name, slope.view());
  return oracle_gradients(call.problem.variant, arguments, call.problem.options);
}

struct GradientError {
  std::string name;
  double relative = 0, bound = 0;
};
// `problem`: what the gradients are of, where its own bounds hold and not those of float32 throughout.
inline std::vector<GradientError> errors_of(const std::vector<HostTensor>& results,
                                            const std::vector<NamedOracleTensor>& reference,
                                            const Problem* problem = nullptr) {
  std::vector<GradientError> errors;
  for (const HostTensor& result : results) {
    const auto found = std::ranges::find(reference, result.name, &NamedOracleTensor::name);
    const Tensor expected = found->tensor.view();
    const Comparison comparison = compare(result.view(), expected, 1);
    const double rows = comparison.effective_rows;
    const double bound = problem != nullptr ? gradient_bound(problem->variant, problem->options, result.type, rows)
                                            : gradient_bound(result.type, rows);
    errors.push_back({result.name, comparison.relative_error, bound});
  }
  return errors;
}

inline void expect_right_gradients(const Operator& op, BackwardProblem& call, const std::string& what,
                                   const BackwardRun& how = {}) {
  std::vector<Sensitivity> sensitivities;
  const std::vector<Port> gradients = call.gradients();
  Problem whole = call.whole();
  for (const auto& [name, error, bound] :
       errors_of(gradients_of(op, call, how), reference_gradients(call), &call.problem)) {
    const bool is_of_parameter = find_port(gradients, name)->of == PortRole::parameter;
    const double usual = bound * (is_of_parameter ? how.more_of_parameters : 1);
    if (error <= usual) continue;
    if (sensitivities.empty()) {
      const std::vector<HostTensor> reference = reference_outputs(whole);
      sensitivities = float32_sensitivities({{whole, &reference}});
    }
    const double allowed =
        usual + allowance_for_rounding(whole, *std::ranges::find(sensitivities, name, &Sensitivity::name));
    EXPECT_TRUE(error <= allowed) << what << ": " << name << " is off by " << error << ", bound " << allowed;
  }
}

}  // namespace rankone::test

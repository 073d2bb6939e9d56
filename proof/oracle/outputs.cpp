// SPDX-License-Identifier: MIT
// The oracle's outputs in memory of their own.
#include <rankone/oracle.hpp>

#include <utility>

#include <rankone/dsl/validate.hpp>

#include "codegen/ports.hpp"
#include "proof/memory.hpp"
#include "proof/oracle/bind.hpp"
#include "proof/oracle/gradients.hpp"
#include "proof/oracle/oracle.hpp"
#include "runtime/given_arguments.hpp"

namespace rankone {
namespace {

OracleTensor zeros(std::vector<std::int64_t> shape) {
  const auto elements = static_cast<std::size_t>(Tensor(nullptr, dtype::f64, shape).elements());
  return {std::move(shape), std::vector<double>(elements)};
}

}  // namespace

OracleOutputs oracle(const Variant& variant, const ForwardArguments& inputs, const CompileOptions& options) {
  validate(variant);  // before anything is looked up in it
  ForwardArguments arguments = inputs;
  // Sizes are checked and counted before any memory is taken: `o` has the shape of `v`, whatever that is, but
  // for a token's steps.
  double unwritten = 0;
  arguments.o = inputs.v;
  arguments.o.shape[1] /= variant.steps_;
  // Of a non-causal variant it has the tokens of q.
  if (variant.non_causal_ && inputs.q.rank == 4 && inputs.v.rank == 4) arguments.o.shape[1] = inputs.q.shape[1];
  arguments.o.data = &unwritten;
  arguments.o.type = dtype::f64;
  arguments.final_state = {};
  const recurrence::Sizes sizes = recurrence::bind(variant, options, arguments);

  const auto size = [](std::int64_t each) { return static_cast<double>(each); };
  const double tokens = size(sizes.batch) * size(sizes.tokens), sequences = static_cast<double>(sizes.sequences.size());
  require_memory((tokens + sequences * size(sizes.features)) * size(sizes.value_heads) * size(sizes.value_dim) * 8,
                 "B=" + std::to_string(sizes.batch) + ", T=" + std::to_string(sizes.tokens) +
                     ", HV=" + std::to_string(sizes.value_heads) + ", K=" + std::to_string(sizes.key_dim) +
                     ", V=" + std::to_string(sizes.value_dim),
                 std::string(variant.name.view()));

  std::int64_t rows = variant.chains_ ? sizes.slot_dim : sizes.features, columns = sizes.value_dim;
  if (options.value_major_state) std::swap(rows, columns);
  OracleOutputs outputs{
      .o = zeros({sizes.batch, sizes.tokens, sizes.value_heads, sizes.value_dim}),
      .final_state = zeros({static_cast<std::int64_t>(sizes.sequences.size()), sizes.value_heads, rows, columns}),
      .carried = {}};
  for (const Port& port : ports_of(ports(variant, options), PortRole::output))
    if (place_of(port.name) == no_place) outputs.carried.push_back({port.name, zeros(shape_of(port, sizes))});
  arguments.o = outputs.o.view();
  arguments.final_state = outputs.final_state.view();
  for (NamedOracleTensor& each : outputs.carried) {
    std::erase_if(arguments.inputs, [&](const NamedTensor& given) { return given.name == each.name; });
    bind_tensor(arguments, each.name, each.tensor.view());
  }
  oracle_forward(variant, options, arguments);
  return outputs;
}

std::vector<NamedOracleTensor> oracle_gradients(const Variant& variant, const BackwardArguments& inputs,
                                                const CompileOptions& options) {
  validate(variant);
  BackwardArguments arguments = inputs;
  arguments.dq = arguments.dk = arguments.dv = arguments.dinitial_state = {};
  arguments.gradients.clear();
  const recurrence::Sizes sizes = recurrence::bind(variant, options, arguments);
  const std::vector<Port> gradients = ports_of(ports(variant, options, Pass::backward), PortRole::gradient);
  std::vector<NamedOracleTensor> results;
  results.reserve(gradients.size());  // the arguments point into them
  for (const Port& port : gradients) {
    results.push_back({port.name, zeros(shape_of(port, sizes))});
    bind_gradient(arguments, port.name, results.back().tensor.view());
  }
  oracle_backward(variant, options, arguments);
  return results;
}

}  // namespace rankone

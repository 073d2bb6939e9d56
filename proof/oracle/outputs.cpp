// SPDX-License-Identifier: MIT
// The oracle's outputs in memory of their own.
#include <rankone/oracle.hpp>

#include <utility>

#include "proof/oracle/bind.hpp"
#include "proof/oracle/oracle.hpp"

namespace rankone {
namespace {

OracleTensor zeros(std::vector<std::int64_t> shape) {
  const auto elements = static_cast<std::size_t>(Tensor(nullptr, dtype::f64, shape).elements());
  return {std::move(shape), std::vector<double>(elements)};
}

}  // namespace

OracleOutputs oracle(const Variant& variant, const ForwardArguments& inputs, const CompileOptions& options) {
  ForwardArguments arguments = inputs;
  // Sizes are checked and counted before any memory is taken: `o` has the shape of `v`, whatever that is.
  double unwritten = 0;
  arguments.o = inputs.v;
  arguments.o.data = &unwritten;
  arguments.o.type = dtype::f64;
  arguments.final_state = {};
  const recurrence::Sizes sizes = recurrence::bind(variant, options, arguments);

  std::int64_t rows = sizes.key_dim, columns = sizes.value_dim;
  if (options.value_major_state) std::swap(rows, columns);
  OracleOutputs outputs{
      .o = zeros({sizes.batch, sizes.tokens, sizes.value_heads, sizes.value_dim}),
      .final_state = zeros({static_cast<std::int64_t>(sizes.sequences.size()), sizes.value_heads, rows, columns})};
  arguments.o = outputs.o.view();
  arguments.final_state = outputs.final_state.view();
  oracle_forward(variant, options, arguments);
  return outputs;
}

}  // namespace rankone

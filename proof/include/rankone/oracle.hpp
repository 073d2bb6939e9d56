// SPDX-License-Identifier: MIT
// What a variant means: its recurrence, token by token, in float64, on the host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

namespace rankone {

struct OracleTensor {
  std::vector<std::int64_t> shape;
  std::vector<double> values;  // row-major

  Tensor view() { return Tensor::of(values.data(), shape); }
  Tensor view() const { return Tensor::of(values.data(), shape); }
};
struct NamedOracleTensor {
  std::string name;
  OracleTensor tensor;
};
struct OracleOutputs {
  OracleTensor o;            // [B, T, HV, V]
  OracleTensor final_state;  // [N, HV, K, V], or [N, HV, V, K] with value_major_state; N = B without cu_seqlens
  std::vector<NamedOracleTensor> carried{};  // beside it, as "final_state_sum" of a normaliser
};

// The outputs of forward() on these inputs, which lie in this process's memory: any strides, and any floating element
// type for each. `o`, `final_state` and `workspace` are not used. Of `options` it reads key_dim and value_dim (0: as the
// tensors have them) and value_major_state. Where no packed sequence stands, `o` is 0.
// Throws Error(invalid_argument) that names the tensor or scalar which is missing or does not fit, Error(unsupported)
// where memory does not suffice for the outputs, and whatever a wrong variant throws.
OracleOutputs oracle(const Variant& variant, const ForwardArguments& inputs, const CompileOptions& options = {});

// The gradients of backward() on these inputs, in the order of its tensors: "dq", "dk" where the variant reads k, "dv",
// "dinitial_state", and those of token inputs and parameters. Each has the shape of its tensor; where no packed sequence
// stands it is 0. Gradients and `workspace` of the arguments are not used. Options and errors are those of oracle().
std::vector<NamedOracleTensor> oracle_gradients(const Variant& variant, const BackwardArguments& inputs,
                                                const CompileOptions& options = {});

}  // namespace rankone

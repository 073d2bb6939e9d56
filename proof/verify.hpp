// SPDX-License-Identifier: MIT
// Is a kernel right? Its outputs against the recurrence in float64, under the bounds that its types allow.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <rankone/check.hpp>
#include <rankone/operator.hpp>

#include "proof/problem.hpp"

namespace rankone {

// bf16 4e-3, f16 1e-3, f32 1e-3 where TF32 tensor cores serve it, else 2e-5.
double error_bound(const CompileOptions& options);

// What the bound is multiplied with where so few elements err by themselves that their error is not the typical one: a
// mean square of n has a spread of 1 / sqrt(n). 1 from 4096 elements on.
double allowance_for(double elements);

// All outputs, in float64.
std::vector<HostTensor> reference_outputs(Problem& problem);

// Runs `op` on poisoned outputs and compares.
std::vector<TensorError> verify(const Operator& op, const Problem& problem, std::vector<HostTensor>& reference);

// The same for inputs drawn as often as it takes for each output to have some 1024 elements: `draw(i)` is the i-th
// problem, all of them of one shape.
std::uint64_t seed_of_draw(std::uint64_t seed, int draw);
struct PooledErrors {
  std::vector<TensorError> tensors;
  int draws = 0;
};
PooledErrors verify(const Operator& op, const std::function<Problem(int)>& draw);

// The same of outputs that `run` computes for a problem.
using RunProblem = std::function<std::vector<HostTensor>(const Problem&)>;
PooledErrors verify(const RunProblem& run, const std::function<Problem(int)>& draw);

}  // namespace rankone

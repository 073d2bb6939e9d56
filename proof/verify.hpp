// SPDX-License-Identifier: MIT
// Is a kernel right? Its outputs against the recurrence in float64, under the bounds that its types allow.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <rankone/check.hpp>
#include <rankone/operator.hpp>

#include "proof/bounds.hpp"
#include "proof/problem.hpp"
#include "proof/sensitivity.hpp"

namespace rankone {

// All outputs, in float64; of decoding, of the rows that do something (proof/decode.hpp).
std::vector<HostTensor> reference_outputs(Problem& problem);

// Runs `op` on poisoned outputs and compares.
std::vector<TensorError> verify(const Operator& op, const Problem& problem, std::vector<HostTensor>& reference);

// What a tensor of this sensitivity may be off by on top of its bound. A parameter's gradient is a sum over all tokens of slopes
// of both signs: where operands are rounded, it is off by what that costs such a sum.
double allowance_for_rounding(const Problem& problem, const Sensitivity& sensitivity);

std::uint64_t seed_of_draw(std::uint64_t seed, int draw);

// The same for inputs drawn as often as it takes for each output to have some 1024 elements, `most_draws` times at most:
// `draw(i)` is the i-th problem, all of them of one shape. With fewer elements more is allowed (allowance_for).
struct PooledErrors {
  std::vector<TensorError> tensors;
  int draws = 0;
};
inline constexpr int usual_most_draws = 64;
PooledErrors verify(const Operator& op, const std::function<Problem(int)>& draw, int most_draws = usual_most_draws);

// The same of outputs that `run` computes for a problem, on the host.
using RunProblem = std::function<std::vector<HostTensor>(const Problem&)>;
PooledErrors verify(const RunProblem& run, const std::function<Problem(int)>& draw, int most_draws = usual_most_draws);

}  // namespace rankone

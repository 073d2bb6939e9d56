// SPDX-License-Identifier: MIT
// What decoding should have written, and what it did: of the rows that do something.
#pragma once

#include <vector>

#include "proof/problem.hpp"

namespace rankone {

// `o`, the states and `token_states` of those rows, in float64; `state` is the slots that they write, in their order.
std::vector<HostTensor> decode_reference(Problem& problem);

// The same rows of what a launch has left, which began with NaNs, all bits set. Throws Error(check_failed) where it wrote
// anything else: outputs of other rows, other slots, gaps between slots.
std::vector<HostTensor> written_rows(const Problem& problem, const std::vector<HostTensor>& outputs);

}  // namespace rankone

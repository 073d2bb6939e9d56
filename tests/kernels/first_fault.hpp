// SPDX-License-Identifier: MIT
// What a run shows to be wrong, in words: for tests that take something away and want it seen.
#pragma once

#include <string>

#include <rankone/error.hpp>

#include "proof/verify.hpp"

namespace rankone::test {

// The first output that is wrong, or what the CPU device refused; empty where all is right.
inline std::string first_fault(const Operator& op, Problem& problem) {
  try {
    std::vector<HostTensor> reference = reference_outputs(problem);
    for (const TensorError& error : verify(op, problem, reference))
      if (!error.ok) return error.name + " is wrong";
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace rankone::test

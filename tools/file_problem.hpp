// SPDX-License-Identifier: MIT
// A call from a file of tensors: sizes and types come from what stands there.
#pragma once

#include <string>
#include <vector>

#include <rankone/safetensors.hpp>
#include "proof/problem.hpp"
#include "tools/options.hpp"

namespace rankone {

struct FileProblem {
  Problem problem;
  std::vector<std::string> ignored;  // tensors that the variant does not read
};

// Throws Error for a tensor that is missing, or whose shape or type does not fit the others. `options` gives the
// pinned schedule and the precision.
FileProblem problem_from_file(const Variant& variant, CompileOptions options, Pass pass, const SafetensorsFile& file);

// Sizes and types on the command line must be those of the file.
void require_agreement(const Options& options, const Problem& problem);

}  // namespace rankone

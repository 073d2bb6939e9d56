// SPDX-License-Identifier: MIT
// What emit, compile and export begin with: a pass of a variant, lowered for an architecture.
#pragma once

#include <string>

#include <rankone/device.hpp>

#include "codegen/choose.hpp"
#include "codegen/program.hpp"
#include "proof/dims.hpp"
#include "tools/options.hpp"

namespace rankone {

struct Lowered {
  Program program;
  ChosenSchedule chosen;  // the pass's own
};

// Says so, too, where the architecture could have faster kernels by another name.
Lowered lower_for(const Options& options, const Variant& variant, const Dims& dims, const Device& device,
                  const std::string& arch);

}  // namespace rankone

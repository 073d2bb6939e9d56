// SPDX-License-Identifier: MIT
// A declaration, sizes, types, layouts and a schedule, all drawn at random from a seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rankone/rankone.hpp>

#include "proof/problem.hpp"
#include "tests/kernels/laid.hpp"

namespace rankone::test {

struct Declared {
  Variant variant{};
  CompileOptions options{};
  Dims dims{};
  bool packed = false, initial_state = false, maps = true;
  bool start_positions = true;  // given, to a variant that reads positions
  double scale = 0;             // 0: the variant's own
  Inputs inputs = Inputs::random;
  int multiprocessors = 0;  // few: a block takes several items
  std::vector<NamedScalar> scalars{};
  std::vector<Layout> layouts{};  // of token tensors in turn
  std::uint64_t device_seed = 1;  // of the order in which threads run
  std::string text;               // all of it, for a report
};

// Legal: it lowers, and its gates can be drawn. Small enough to run on the CPU device in about a second.
Declared random_declaration(std::uint64_t seed, int index);

}  // namespace rankone::test

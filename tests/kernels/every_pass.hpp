// SPDX-License-Identifier: MIT
// One variant on the CPU device, in every pass that it has.
#pragma once

#include <cstdint>
#include <string>

#include <rankone/dsl/features.hpp>

#include "codegen/program.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/backward_calls.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone::test {

// The calls that a variant is tried with.
struct Trial {
  std::int64_t tokens = 70;  // more than a run of the backward pass has
  bool packs = true;         // once more in packed sequences, of which some are empty
};

inline void expect_right_in_every_pass(const Variant& variant, const CompileOptions& options, std::uint64_t seed,
                                       const Trial& trial = {}) {
  const std::string label =
      std::string(variant.name.view()) + " " + name_of(options.dtype) + ", states in " + name_of(options.state_dtype);
  const Operator op = compile(variant, options, cpu_device(seed));
  for (const bool packed : {false, true}) {
    if (packed && !trial.packs) continue;
    const Dims dims{.batch = packed ? 1 : 2,
                    .tokens = packed ? 40 : trial.tokens,
                    .heads = 1,
                    .value_heads = 2,
                    .key_dim = options.key_dim,
                    .value_dim = options.value_dim,
                    .slot_dim = options.slot_dim,
                    .sequences = 2};
    Problem problem = random_problem(variant, options, dims, {.seed = seed, .packed = packed});
    expect_right(op, problem, label);
    BackwardProblem call(random_problem(variant, options, dims, {.seed = seed + 1, .packed = packed}), seed + 1);
    expect_right_gradients(op, call, label);
  }
  if (!why_not_admitted(variant, Pass::decode).empty()) return;
  const Dims few{.batch = 3,
                 .tokens = 3,
                 .heads = 1,
                 .value_heads = 2,
                 .key_dim = options.key_dim,
                 .value_dim = options.value_dim,
                 .slot_dim = options.slot_dim,
                 .sequences = 3};
  Problem decoding = random_problem(variant, options, few, {.seed = seed + 2, .pass = Pass::decode});
  expect_right(op, decoding, label + ", decoding");
}

// Each in bf16 and f32, over several value tiles, each of which adds to the slopes of keys. The short run has every fifth
// of these.
template <class Variants> void expect_each_right_in_every_pass(const Variants& variants) {
  std::uint64_t seed = 1;
  std::size_t number = 0;
  for (const Variant& variant : variants) {
    for (const dtype type : {dtype::bf16, dtype::f32}) {
      const CompileOptions options{.key_dim = has_features(variant) ? 5 : 24,  // features are many
                                   .value_dim = 36,
                                   .dtype = type,
                                   .value_major_state = seed % 2 == 0,
                                   .pins = {.value_tile = 16}};
      if (runs_in_turn(number++, 5)) expect_right_in_every_pass(variant, options, seed);
      seed += 3;
    }
  }
}

}  // namespace rankone::test

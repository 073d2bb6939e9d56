// SPDX-License-Identifier: MIT
// One variant on the CPU device, in every pass that it has.
#pragma once

#include <cstdint>
#include <string>

#include "codegen/program.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/backward_calls.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone::test {

// More than a run of the backward pass, and packed sequences of which some are empty.
inline void expect_right_in_every_pass(const Variant& variant, const CompileOptions& options, std::uint64_t seed) {
  const std::string label = std::string(variant.name.view()) + " " + name_of(options.dtype);
  const Operator op = compile(variant, options, cpu_device(seed));
  for (const bool packed : {false, true}) {
    const Dims dims{.batch = packed ? 1 : 2,
                    .tokens = packed ? 40 : 70,
                    .heads = 1,
                    .value_heads = 2,
                    .key_dim = options.key_dim,
                    .value_dim = options.value_dim,
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
                 .sequences = 3};
  Problem decoding = random_problem(variant, options, few, {.seed = seed + 2, .pass = Pass::decode});
  expect_right(op, decoding, label + ", decoding");
}

// Calls check(variant, type, seed) for each variant in bf16 and f32; a short run takes one of them in turn.
template <class Variants, class Check> void for_each_in_two_types(const Variants& variants, const Check& check) {
  std::uint64_t seed = 1;
  bool takes_f32 = false;
  for (const Variant& variant : variants) {
    for (const dtype type : {dtype::bf16, dtype::f32}) {
      if (whole_matrix() || (type == dtype::f32) == takes_f32) check(variant, type, seed);
      seed += 3;
    }
    takes_f32 = !takes_f32;
  }
}

}  // namespace rankone::test

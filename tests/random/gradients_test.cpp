// SPDX-License-Identifier: MIT
// Gradients of random declarations against differences of outputs.
#include <gtest/gtest.h>

#include "tests/proof/oracle/differences.hpp"
#include "tests/random/declarations.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone::test {
namespace {

constexpr int declarations_of_a_batch = 25;

class RandomGradients : public testing::TestWithParam<int> {};

// In sizes of their own: a difference takes four walks for each element.
TEST_P(RandomGradients, AgreeWithDifferences) {
  for (int i = 0; i < declarations_of_a_batch; ++i) {
    if (!runs_in_turn(static_cast<std::size_t>(i), 4)) continue;
    Declared declared = random_declaration(5, GetParam() * declarations_of_a_batch + i);
    const int group = 1 + i % 3;
    declared.options = {.key_dim = 3, .value_dim = 4, .dtype = dtype::f32, .input_types = {}};
    declared.options.value_major_state = i % 4 == 0;
    if (declared.variant.chains_) declared.options.slot_dim = 2;
    declared.dims = {.batch = 1, .tokens = 6, .heads = 2, .value_heads = 2 * group, .key_dim = 3, .value_dim = 4};
    declared.dims.slot_dim = declared.options.slot_dim;
    if (declared.variant.non_causal_) declared.dims.key_tokens = 4;
    Problem problem = random_problem(declared.variant, declared.options, declared.dims,
                                     {.seed = static_cast<std::uint64_t>(i),
                                      .initial_state = declared.initial_state,
                                      .packed = declared.packed,
                                      .scalars = declared.scalars});
    problem.scale = declared.scale;
    SCOPED_TRACE(describe(declared.variant));
    Differences(problem).expect_agreement();
  }
}
INSTANTIATE_TEST_SUITE_P(Batch, RandomGradients, testing::Range(0, 4));

}  // namespace
}  // namespace rankone::test

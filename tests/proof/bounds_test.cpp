// SPDX-License-Identifier: MIT
// Bounds follow the type, the tensor, and what a variant's own formulas round.
#include "proof/bounds.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include <rankone/dsl.hpp>

namespace rankone {
namespace {

double bound(const Variant& variant, dtype type, const char* tensor, Precision precision = Precision::tf32) {
  const Problem problem{.variant = variant,
                        .options = {.key_dim = 64, .value_dim = 64, .dtype = type, .precision = precision},
                        .dims = {.tokens = 100, .key_dim = 64, .value_dim = 64}};
  return error_bound(problem, tensor, false);
}

TEST(Bounds, AreTheSameOverTheCatalogue) {
  for (const Variant& variant : catalogue()) {
    // Features, keys that are formulas of k, and values that are formulas, are rounded once more; turns of a complex state
    // add up.
    if (variant.is_complex() || variant.has(Formula::feature_map) || variant.has(Formula::query) ||
        variant.has(Formula::value) || (variant.has(Formula::key) && reads_key(variant)))
      continue;
    EXPECT_EQ(bound(variant, dtype::bf16, "o"), 3.2e-3) << variant.name.view();
    EXPECT_EQ(bound(variant, dtype::f16, "o"), 7e-4) << variant.name.view();
    EXPECT_EQ(bound(variant, dtype::f32, "o"), 7.6e-4) << variant.name.view();
    EXPECT_EQ(bound(variant, dtype::bf16, "final_state"), 2.4e-3) << variant.name.view();
    EXPECT_NEAR(bound(variant, dtype::f32, "o", Precision::f32), 4.6e-7, 1e-8) << variant.name.view();
  }
}

// Each gradient's own type counts: a gate may have another one than q, k and v, and parameters' are float32.
TEST(Bounds, OfGradientsFollowTheirOwnTypes) {
  const Variant biased = variant("biased").decay(per_head(log_sigmoid(input("x") + param("bias"))));
  Problem problem{.variant = biased,
                  .options = {.key_dim = 8,
                              .value_dim = 8,
                              .input_types = {{"x", dtype::f16}},
                              .pins = {.family = Family::recurrent}},
                  .pass = Pass::backward};
  const auto bound_of = [&](const char* tensor) { return error_bound(problem, tensor, false); };
  EXPECT_NEAR(bound_of("dq"), 3.9e-3, 1e-4);
  EXPECT_NEAR(bound_of("dx"), 5.1e-4, 1e-5);
  EXPECT_EQ(bound_of("dbias"), 2e-5);
  EXPECT_EQ(bound_of("dinitial_state"), 2e-5);
  // In chunks operands of products are rounded, too.
  problem.options.pins = {};
  EXPECT_NEAR(bound_of("dq"), 6e-3, 1e-4);
  EXPECT_NEAR(bound_of("dinitial_state"), 4.5e-3, 1e-5);
  problem.options.dtype = dtype::f32;
  EXPECT_NEAR(bound_of("dq"), 1.3e-3, 1e-5);
  problem.options.precision = Precision::f32;
  EXPECT_LT(bound_of("dq"), 3e-5);
}

// Of a chain each pass rounds what its own formulas are, and has its own K and V.
TEST(Bounds, OfChainsAreThoseOfTheirPasses) {
  const Variant chain = variant("chain").value(input("s")).then(second_pass().key(input("s")).query(passed())),
                second = variant("second").key(input("s")).query(input("p", value_head_axis | Axes::key)),
                first = variant("first").value(input("s"));
  for (const dtype type : {dtype::bf16, dtype::f32}) {
    EXPECT_EQ(bound(chain, type, "final_state"), bound(second, type, "final_state"));
    EXPECT_EQ(bound(chain, type, "final_state_first"), bound(first, type, "final_state"));
    EXPECT_NEAR(bound(chain, type, "o"), bound(second, type, "o") + bound(first, dtype::f32, "o", Precision::f32),
                1e-9);
  }
  const double both = bound(chain, dtype::f32, "o", Precision::f32);
  EXPECT_NEAR(both, 2 * 4.6e-7, 1e-7);
  const Problem wide{.variant = chain,
                     .options = {.key_dim = 8, .value_dim = 64, .slot_dim = 4},
                     .dims = {.tokens = 100, .key_dim = 8, .value_dim = 64, .slot_dim = 4}};
  EXPECT_EQ(independent_elements(wide, "final_state_first", 1), 4) << "M value columns";
  EXPECT_EQ(independent_elements(wide, "final_state", 1), 64);
}

// By the sum of their angles.
TEST(Bounds, GrowWithTheTurnsOfAComplexState) {
  const double turning = bound(variants::gateloop, dtype::bf16, "o"),
               still = bound(variants::gateloop.phase({}), dtype::bf16, "o");
  EXPECT_NEAR(turning - still, 100 * 2e-7, 1e-9);
}

TEST(Bounds, AllowForEachOperandThatAFormulaRounds) {
  const auto more = [](const Variant& variant, const char* tensor, double limit) {
    const double whole = bound(variant, dtype::bf16, tensor);
    return (whole * whole - limit * limit) / std::pow(0x1p-8, 2);  // in half units of bf16's last digit, squared
  };
  const Variant plain = variant("plain").decay(per_head(log_sigmoid(input("x"))));
  const Expression gate = sigmoid(input("y"));
  struct {
    Variant variant;
    double output, state;
  } cases[] = {{plain, 0, 0},
               {plain.write_scale(gate), 0, 0},
               {plain.key(key() * gate), 1.0 / 3, 1.0 / 3},
               {plain.feature_map(silu(element())), 2.0 / 3, 1.0 / 3},
               {plain.feature_map(silu(element())).key(key() * gate), 2.0 / 3, 1.0 / 3},
               {plain.feature_map(silu(element())).key(gate), 1.0 / 3, 0},
               {plain.key(gate), 0, 0},
               {plain.key(sigmoid(param("p"))), 1, 1}};
  for (const auto& each : cases) {
    EXPECT_NEAR(more(each.variant, "o", 3.2e-3), each.output, 1e-9) << describe(each.variant);
    EXPECT_NEAR(more(each.variant, "final_state", 2.4e-3), each.state, 1e-9) << describe(each.variant);
  }
}

TEST(Bounds, OfThreeProductsGrowWithTokensAndOnTensorCores) {
  Problem problem{.variant = *find_variant("gla"),
                  .options = {.key_dim = 128, .dtype = dtype::f32, .precision = Precision::f32},
                  .dims = {.tokens = 1, .key_dim = 128}};
  const double few = error_bound(problem, "o", false), on_gpu = error_bound(problem, "o", true);
  problem.dims.tokens = 32768;
  EXPECT_GT(error_bound(problem, "o", false), 1.25 * 7.2e-7 / 1.05);
  EXPECT_LT(few, 5e-7);
  EXPECT_GT(on_gpu, few);
  EXPECT_LT(on_gpu, 4e-6);
}

TEST(Bounds, OfEqualTokensCountChunks) {
  Problem problem{.variant = *find_variant("gla"), .dims = {.tokens = 640, .key_dim = 64, .value_dim = 64}};
  EXPECT_EQ(independent_elements(problem, "o", 10), 640);
  problem.inputs = Inputs::equal;
  EXPECT_EQ(independent_elements(problem, "o", 10), 10);
  EXPECT_EQ(independent_elements(problem, "final_state", 10), 1);
}

}  // namespace
}  // namespace rankone

// SPDX-License-Identifier: MIT
// What formulas stay between, and which variants the Hopper family serves in float16.
#include "codegen/bounds.hpp"

#include <limits>

#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

void expect_bounds(const Expression& expression, double low, double high) {
  const Interval bounds = bounds_of(expression);
  EXPECT_DOUBLE_EQ(bounds.low, low) << to_string(expression);
  EXPECT_DOUBLE_EQ(bounds.high, high) << to_string(expression);
}

TEST(Bounds, FollowFromTheFormula) {
  const Expression x = input("x");
  expect_bounds(x, -infinity, infinity);
  expect_bounds(1 - decay(), 0, 1);
  expect_bounds(sigmoid(x) * 2 - 3, -3, -1);
  expect_bounds(softplus(x), 0, infinity);
  expect_bounds(-exp(param("a")) * softplus(x), -infinity, infinity);  // zero times infinity
  expect_bounds(log(sigmoid(x)), -infinity, 0);
  expect_bounds(tanh(x) / 4, -0.25, 0.25);
  expect_bounds(1 / (1 + sigmoid(x)), 0.5, 1);
  expect_bounds(1 / x, -infinity, infinity);
  expect_bounds(square(tanh(x)), 0, 1);
  expect_bounds(2 * sin(x), -2, 2);
  expect_bounds(cos(x) + 1, 0, 2);
  expect_bounds(min(max(x, -2), 7), -2, 7);
  expect_bounds(relu(min(x, 5)), 0, 5);
  expect_bounds(sqrt(step(x)), 0, 1);
  expect_bounds(log_sigmoid(x) - 1, -infinity, -1);
}

TEST(Bounds, TellHowErrorsGrow) {
  const Expression x = input("x"), s = log_sigmoid(x);
  for (const Expression& kept :
       {s, s / 16, -s, 1 - s, s * tanh(x), min(s, x), log(sigmoid(x)), exp(x), s / (1 + sigmoid(x))})
    EXPECT_LE(growth_of_log_errors(kept), 1) << to_string(kept);
  for (const Expression& grown : {2 * s, s / 0.5, s + s, s * x, x / s, exp(s), -exp(param("a")) * softplus(x), s / x})
    EXPECT_GT(growth_of_log_errors(grown), 1) << to_string(grown);
  EXPECT_EQ(growth_of_log_errors(s / 16), 1.0 / 16);
  EXPECT_EQ(growth_of_log_errors(x / 16), 0);
}

TEST(Float16, HasAllOfTheCatalogue) {
  for (const Variant& variant : catalogue()) {
    if (!part_beyond(variant, hopper_family.parts).empty()) continue;
    if (variant == variants::rodimus) continue;  // nothing bounds its key
    if (variant.has(Formula::bonus)) continue;   // nor what weighs it
    if (variant.decays_by_value()) continue;     // values meet queries at factors of up to 2^60
    EXPECT_EQ(why_beyond_f16(variant), "") << variant.name.view();
    EXPECT_EQ(key_growth_log2(variant), 0) << variant.name.view();
    CompileOptions options{.key_dim = 64, .value_dim = 64, .dtype = dtype::f16};
    options.pins.family = Family::hopper;
    EXPECT_FALSE(legal_schedules(variant, options, "sm_90a").empty()) << variant.name.view();
    options.pins.family.reset();
    EXPECT_EQ(default_schedule(variant, options, "sm_100a").family, Family::portable) << variant.name.view();
  }
}

TEST(Float16, TakesWhatIsBounded) {
  constexpr Variant eighth =
      variant("eighth").decay(per_key(input("g"))).key((1 - decay()) / 8).write_scale(sigmoid(input("b"))).checked();
  EXPECT_EQ(why_beyond_f16(eighth), "");
  EXPECT_EQ(key_growth_log2(eighth), -3);
  // Per token, write scales have a power of two of their own.
  constexpr Variant steps = variant("steps").decay(per_head(input("g"))).write_scale(exp(input("b"))).checked();
  EXPECT_EQ(why_beyond_f16(steps), "");
}

TEST(Float16, LeavesTheRestToThePortableFamily) {
  constexpr Variant squares = variant("squares").feature_map(square(element())).checked();
  constexpr Variant gated = variant("gated").decay(per_key(input("g"))).key(key() * (1 - decay())).checked();
  constexpr Variant unbounded = variant("unbounded").decay(per_key(input("g"))).key(exp(input("b"))).checked();
  constexpr Variant steps = variant("steps").decay(per_key(input("g"))).write_scale(softplus(input("b"))).checked();
  constexpr Variant own = variant("own").decay(per_key(input("g"))).bonus(param("u")).checked();
  constexpr Variant columns = variant("columns").decay(per_value(input("g"))).checked();
  for (const Variant& variant : {squares, gated, unbounded, steps, own, columns}) {
    CompileOptions options{.key_dim = 64, .value_dim = 64, .dtype = dtype::f16};
    EXPECT_EQ(default_schedule(variant, options, "sm_90a").family, Family::portable) << variant.name.view();
    options.pins.family = Family::hopper;
    const std::string refusal = refusal_of([&] { default_schedule(variant, options, "sm_90a"); });
    EXPECT_TRUE(holds(refusal, "does not serve '" + std::string(variant.name.view()) + "' in f16")) << refusal;
    EXPECT_TRUE(holds(refusal, "float16's range")) << refusal;
    EXPECT_TRUE(holds(refusal, "accepted: bf16, or family=portable")) << refusal;
    options.dtype = dtype::bf16;
    EXPECT_EQ(default_schedule(variant, options, "sm_90a").family, Family::hopper) << variant.name.view();
  }
  const std::string refusal = refusal_of([&] {
    default_schedule(variants::gla,
                     {.key_dim = 64, .value_dim = 64, .dtype = dtype::f32, .pins = {.family = Family::hopper}},
                     "sm_90a");
  });
  EXPECT_TRUE(holds(refusal, "sm_90a, bf16 and f16")) << refusal;
}

}  // namespace
}  // namespace rankone

// SPDX-License-Identifier: MIT
// Declarations compile beside <cmath> and under both using-directives, where exp, log, min and max are std's names too.
#include <algorithm>
#include <cmath>

#include <rankone/dsl.hpp>

using namespace std;
using namespace rankone;

constexpr auto many =
    rankone::variant("many")
        .decay(per_head(-exp(param("A_log")) * max(softplus(input("a")), 0.5) - sqrt(square(input("b")))))
        .write_scale(min(1, log(1 + exp(input("a")))))
        .feature_map(silu)
        .scale(2)
        .chunk(32)
        .level(Level::chunk)
        .checked();
constexpr auto by_lambda = rankone::variant("by_lambda")
                               .feature_map([](const Expression& x) { return max(x, 0) + exp(min(x, 0)); })
                               .decay(per_key(log_sigmoid(input("x") + param("bias", key_axis)) / 16))
                               .checked();

static_assert(many.formula(Formula::feature_map) == silu(element()) && by_lambda.decays_by_key());
// A set of axes in each way that it is written.
constexpr auto axes_of = [](Axes axes) {
  return parameters_of(variant("a").decay(per_key(-exp(param("b", axes)))))[0].axes;
};
static_assert(axes_of({Axes::head, Axes::key}) == (head_axis | key_axis));
static_assert(axes_of(Axes::head | Axes::key) == (head_axis | key_axis));
static_assert(axes_of({Axes::key}) == key_axis && axes_of(Axes::key) == key_axis);
static_assert(axes_of({}) == (value_head_axis | key_axis));
double number = exp(1.0) + std::min(1, 2);

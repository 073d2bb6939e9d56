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

static_assert(many.feature_map_ == silu(element()) && by_lambda.decay_.kind == DecayKind::per_key);
double number = exp(1.0) + std::min(1, 2);

// SPDX-License-Identifier: MIT
// HGRN2: forget gates with a learned lower bound, tied to the keys.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = Diag(a_t) S_{t-1} + (1 - a_t)^T v_t,   a_t = c + (1 - c) sigmoid(x_t),   c = lower_bound
// Qin et al., HGRN2, arXiv 2404.07904.
inline constexpr auto hgrn2 =
    variant("hgrn2")
        .decay(per_key(log(param("lower_bound") + (1 - param("lower_bound")) * sigmoid(input("x")))))
        .key(1 - decay())
        .checked();

}  // namespace rankone::variants

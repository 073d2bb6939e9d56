// SPDX-License-Identifier: MIT
// A gate that is in no paper.
#pragma once

#include <rankone/rankone.hpp>

// What a key holds fades like 1 / (1 + s), where others fade like exp(-s): at s = 4 a fifth is left, not a fiftieth. A key
// is written by as much as its gate forgets.
// a_t = 1 / (1 + exp(rate) softplus(x_t))   S_t = Diag(a_t) S_{t-1} + ((1 - a_t) k_t)^T v_t   o_t = K^-0.5 q_t S_t
inline constexpr auto hyperbolic =
    rankone::variant("hyperbolic")
        .decay(per_key(-log(1 + exp(rankone::param("rate")) * softplus(rankone::input("x")))))
        .key(rankone::key() * (1 - rankone::decay()))
        .checked();

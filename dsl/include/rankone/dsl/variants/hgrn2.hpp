// SPDX-License-Identifier: MIT
// Of the catalogue: HGRN2.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(a_t) S_{t-1} + (1 - a_t)^T v_t,   a_t = c + (1 - c) sigmoid(x_t),   c = lower_bound
inline constexpr auto hgrn2 =
    variant("hgrn2")
        .decay(per_key(log(param("lower_bound") + (1 - param("lower_bound")) * sigmoid(input("x")))))
        .key(1 - decay())
        .checked();
inline constexpr Source hgrn2_source{
    .about = "forget gates with a learned lower bound, tied to the keys",
    .title = "HGRN2: Gated Linear RNNs with State Expansion",
    .authors = "Qin et al.",
    .arxiv = "2404.07904",
    .open =
        "How lower bounds grow from layer to layer, and the activation of q, are the caller's. "
        "K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Of the catalogue: Gated DeltaNet.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = (I - beta_t k_t^T k_t) exp(g_t) S_{t-1} + beta_t k_t^T v_t
inline constexpr auto gated_delta = variant("gated_delta").decay(per_head(input("g"))).erase(input("beta")).checked();
inline constexpr Source gated_delta_source{
    .about = "the delta rule on a state that decays by head",
    .title = "Gated Delta Networks: Improving Mamba2 with Delta Rule",
    .authors = "Yang, Kautz, Hatamizadeh",
    .arxiv = "2412.06464",
    .open =
        "Keys are as given: normalize them before. beta is given behind its sigmoid, or twice "
        "that. K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants

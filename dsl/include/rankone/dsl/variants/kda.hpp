// SPDX-License-Identifier: MIT
// Of the catalogue: Kimi Delta Attention.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = (I - beta_t k_t^T k_t) Diag(exp(g_t)) S_{t-1} + beta_t k_t^T v_t
inline constexpr auto kda = variant("kda").decay(per_key(input("g"))).erase(input("beta")).checked();
inline constexpr Source kda_source{
    .about = "the delta rule on a state that decays by key",
    .title = "Kimi Linear: An Expressive, Efficient Attention Architecture",
    .authors = "Kimi Team",
    .arxiv = "2510.26692",
    .open =
        "Keys are as given: normalize them before. beta is given behind its sigmoid. K^-0.5 is "
        "flash-linear-attention's scale."};

}  // namespace rankone::variants

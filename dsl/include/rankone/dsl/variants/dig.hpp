// SPDX-License-Identifier: MIT
// Of the catalogue: diffusion by gated linear attention.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(exp(g_t)) S_{t-1} + k_t^T v_t over the tokens in the order of the call. Its models have K = 32, V = 64.
inline constexpr auto dig = variant("dig").decay(per_key(input("g"))).permuted().checked();
inline constexpr Source dig_source{
    .about = "gla over an image, its tokens walked in an order that each call gives",
    .title = "DiG: Scalable and Efficient Diffusion Models with Gated Linear Attention",
    .authors = "Zhu et al.",
    .arxiv = "2405.18428",
    .open =
        "The orders are the caller's: the grid by rows, turned round in every block and transposed in every "
        "second one. So are the convolutions and the logits of the gates, in its code a log_sigmoid over 16. "
        "K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants

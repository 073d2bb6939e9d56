// SPDX-License-Identifier: MIT
// Of the catalogue: gated linear attention.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(exp(g_t)) S_{t-1} + k_t^T v_t
inline constexpr auto gla = variant("gla").decay(per_key(input("g"))).checked();
inline constexpr Source gla_source{
    .about = "gated linear attention with a given log-decay for each key",
    .title = "Gated Linear Attention Transformers with Hardware-Efficient Training",
    .authors = "Yang et al.",
    .arxiv = "2312.06635",
    .open = "The paper's equations have no scale: K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Of the catalogue: gated linear attention with gates by head.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = exp(g_t) S_{t-1} + k_t^T v_t
inline constexpr auto simple_gla = variant("simple_gla").decay(per_head(input("g"))).checked();
inline constexpr Source simple_gla_source{
    .about = "gated linear attention with one given log-decay for each head and token",
    .title = "flash-linear-attention: simple_gla",
    .authors = "Yang, Zhang",
    .arxiv = "",
    .open = "Mamba-2 reduces to it, with q = C, k = B, v = x, g = A dt and scale 1."};

}  // namespace rankone::variants

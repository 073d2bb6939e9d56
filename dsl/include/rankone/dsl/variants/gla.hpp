// SPDX-License-Identifier: MIT
// Gated linear attention with a given log-decay for each key channel.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = Diag(exp(g_t)) S_{t-1} + k_t^T v_t
// Yang et al., Gated Linear Attention Transformers, arXiv 2312.06635; g is given as a logarithm.
inline constexpr auto gla = variant("gla").decay(per_key(input("g"))).checked();

}  // namespace rankone::variants

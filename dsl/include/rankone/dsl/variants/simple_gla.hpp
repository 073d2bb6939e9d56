// SPDX-License-Identifier: MIT
// Gated linear attention with one given log-decay for each head and token.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = exp(g_t) S_{t-1} + k_t^T v_t
// The scalar gate of flash-linear-attention, to which Mamba-2 reduces; g is given as a logarithm.
inline constexpr auto simple_gla = variant("simple_gla").decay(per_head(input("g"))).checked();

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Lightning attention: a constant decay, slower in later layers.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = exp(-(8 / H) (1 - layer / layers) h) S_{t-1} + k_t^T v_t
// Qin et al., Lightning Attention-2, arXiv 2401.04658; the slopes as flash-linear-attention computes them.
inline constexpr auto lightning =
    variant("lightning").decay(constant(-8 / heads() * (1 - scalar("layer") / scalar("layers")) * head())).checked();

}  // namespace rankone::variants

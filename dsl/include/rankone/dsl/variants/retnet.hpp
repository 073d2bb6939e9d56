// SPDX-License-Identifier: MIT
// RetNet: a constant decay for each head.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = (1 - 2^(-5 - h)) S_{t-1} + k_t^T v_t
// Sun et al., Retentive Network, arXiv 2307.08621.
inline constexpr auto retnet =
    variant("retnet").decay(constant(log(1 - exp(-0.6931471805599453 * (5 + head()))))).checked();

}  // namespace rankone::variants

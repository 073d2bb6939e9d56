// SPDX-License-Identifier: MIT
// Gated retention: one learned gate for each head and token.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = sigmoid(x_t)^(1/16) S_{t-1} + k_t^T v_t
// Sun et al., You Only Cache Once, arXiv 2405.05254.
inline constexpr auto gated_retention =
    variant("gated_retention").decay(per_head(log_sigmoid(input("x")) / 16)).checked();

}  // namespace rankone::variants

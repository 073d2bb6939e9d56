// SPDX-License-Identifier: MIT
// Gated DeltaNet: the delta rule on a state that decays by head.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = (I - beta_t k_t^T k_t) exp(g_t) S_{t-1} + beta_t k_t^T v_t,   keys as given: normalize them before.
// Yang, Kautz, Hatamizadeh, arXiv 2412.06464.
inline constexpr auto gated_delta = variant("gated_delta").decay(per_head(input("g"))).erase(input("beta")).checked();

}  // namespace rankone::variants

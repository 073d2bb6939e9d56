// SPDX-License-Identifier: MIT
// Kimi Delta Attention: the delta rule on a state that decays by key.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = (I - beta_t k_t^T k_t) Diag(exp(g_t)) S_{t-1} + beta_t k_t^T v_t,   keys as given: normalize them before.
// Kimi Team, arXiv 2510.26692.
inline constexpr auto kda = variant("kda").decay(per_key(input("g"))).erase(input("beta")).checked();

}  // namespace rankone::variants

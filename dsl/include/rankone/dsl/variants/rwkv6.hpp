// SPDX-License-Identifier: MIT
// RWKV-6: a decay for each token and key, and a bonus for a token's own key.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = Diag(exp(w_t)) S_{t-1} + k_t^T v_t,   o_t = scale q_t (S_{t-1} + Diag(u) k_t^T v_t),   u [HV, K] learned.
// Peng et al., Eagle and Finch, arXiv 2404.05892; w is the log-decay, -exp(x) in the paper's layer.
inline constexpr auto rwkv6 = variant("rwkv6").decay(per_key(input("w"))).bonus(param("u")).checked();

}  // namespace rankone::variants

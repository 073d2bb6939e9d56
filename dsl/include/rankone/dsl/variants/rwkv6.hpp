// SPDX-License-Identifier: MIT
// Of the catalogue: RWKV-6.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(exp(w_t)) S_{t-1} + k_t^T v_t,   o_t = scale q_t (S_{t-1} + Diag(u) k_t^T v_t),   u [HV, K] learned.
inline constexpr auto rwkv6 = variant("rwkv6").decay(per_key(input("w"))).bonus(param("u")).checked();
inline constexpr Source rwkv6_source{
    .about = "a decay for each token and key, and a bonus for a token's own key",
    .title = "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence",
    .authors = "Peng et al.",
    .arxiv = "2404.05892",
    .open =
        "w is the log-decay, -exp(x) in the paper's layer. The paper's read has no scale: K^-0.5 "
        "is flash-linear-attention's scale."};

}  // namespace rankone::variants

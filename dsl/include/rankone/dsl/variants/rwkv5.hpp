// SPDX-License-Identifier: MIT
// Of the catalogue: RWKV-5.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(exp(w)) S_{t-1} + k_t^T v_t,   o_t = scale q_t (S_{t-1} + Diag(u) k_t^T v_t),   w and u [HV, K] learned.
inline constexpr auto rwkv5 = variant("rwkv5").decay(per_key(param("w"))).bonus(param("u")).checked();
inline constexpr Source rwkv5_source{.about = "a learned decay for each key, and a bonus for a token's own key",
                                     .title = "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence",
                                     .authors = "Peng et al.",
                                     .arxiv = "2404.05892",
                                     .open =
                                         "w is the log-decay, and so below 0. The paper's read has no scale: "
                                         "K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants

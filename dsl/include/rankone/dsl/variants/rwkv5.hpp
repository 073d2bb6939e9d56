// SPDX-License-Identifier: MIT
// RWKV-5: a learned decay for each key, and a bonus for a token's own key.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = Diag(exp(w)) S_{t-1} + k_t^T v_t,   o_t = scale q_t (S_{t-1} + Diag(u) k_t^T v_t),   w and u [HV, K] learned.
// Peng et al., Eagle and Finch, arXiv 2404.05892.
inline constexpr auto rwkv5 = variant("rwkv5").decay(per_key(param("w"))).bonus(param("u")).checked();

}  // namespace rankone::variants

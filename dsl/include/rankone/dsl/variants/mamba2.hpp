// SPDX-License-Identifier: MIT
// Mamba-2: a step size for each head and token sets both the decay and the write.
#pragma once

#include <rankone/dsl/declare.hpp>

namespace rankone::variants {

// S_t = exp(-exp(A_log) D_t) S_{t-1} + D_t k_t^T v_t,   D_t = softplus(dt_t + dt_bias),   o_t = q_t S_t
// Dao and Gu, Transformers are SSMs, arXiv 2405.21060; q, k, v are its C, B, x.
inline constexpr auto mamba2 = variant("mamba2")
                                   .decay(per_head(-exp(param("A_log")) * softplus(input("dt") + param("dt_bias"))))
                                   .write_scale(softplus(input("dt") + param("dt_bias")))
                                   .scale(1)
                                   .checked();

}  // namespace rankone::variants

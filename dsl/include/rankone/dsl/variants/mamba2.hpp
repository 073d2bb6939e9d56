// SPDX-License-Identifier: MIT
// Of the catalogue: Mamba-2.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = exp(-exp(A_log) D_t) S_{t-1} + D_t k_t^T v_t,   D_t = softplus(dt_t + dt_bias),   o_t = q_t S_t
inline constexpr auto mamba2 = variant("mamba2")
                                   .decay(per_head(-exp(param("A_log")) * softplus(input("dt") + param("dt_bias"))))
                                   .write_scale(softplus(input("dt") + param("dt_bias")))
                                   .scale(1)
                                   .checked();
inline constexpr Source mamba2_source{
    .about = "a step size for each head and token sets both the decay and the write",
    .title =
        "Transformers are SSMs: Generalized Models and Efficient Algorithms Through Structured State Space Duality",
    .authors = "Dao, Gu",
    .arxiv = "2405.21060",
    .open = "q, k and v are its C, B and x; its skip, D times x, is the caller's."};

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Of the catalogue: Mamba.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = exp(-exp(A_log) * d_t) * S_{t-1} + k_t^T (d_t * v_t),   o_t = q_t S_t + D * v_t,   d_t = softplus(dt_t + dt_bias):
// A_log [HV, K, V], dt_bias and D [HV, V] learned, dt_t [HV, V].
inline constexpr auto mamba1 =
    variant("mamba1")
        .decay(full(-exp(param("A_log")) * softplus(input("dt", value_head_axis | value_axis) +
                                                    param("dt_bias", value_head_axis | value_axis))))
        .value(softplus(input("dt") + param("dt_bias")) * value())
        .output(read() + param("D") * value())
        .scale(1)
        .checked();
inline constexpr Source mamba1_source{
    .about = "a selective scan, where each element of the state has a decay of its own",
    .title = "Mamba: Linear-Time Sequence Modeling with Selective State Spaces",
    .authors = "Gu, Dao",
    .arxiv = "2312.00752",
    .open = "q, k and v are its C, B and x. What is written is dt B x, as in the paper's code."};

}  // namespace rankone::variants

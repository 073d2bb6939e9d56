// SPDX-License-Identifier: MIT
// Of the catalogue: gated slot attention.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// A_t = A_{t-1} Diag(exp(g_t)) + k_t^T s_t,   p_t = K^-0.5 q_t A_t,   s_t = 1 - exp(g_t),
// B_t = Diag(exp(g_t)) B_{t-1} + s_t^T v_t,   o_t = softmax(p_t) B_t:   M slots, each forgetting as it takes up
inline constexpr auto gsa =
    variant("gsa")
        .decay(per_value(input("g")))
        .value(1 - exp(input("g")))
        .then(second_pass().decay(per_key(input("g"))).key(1 - exp(input("g"))).query(softmax(passed())))
        .checked();
inline constexpr Source gsa_source{
    .about = "gated slots: keys are written to slots, and a softmax over these reads their values",
    .title = "Gated Slot Attention for Efficient Linear-Time Sequence Modeling",
    .authors = "Zhang et al.",
    .arxiv = "2409.07146",
    .open =
        "g is the log-gate, [B, T, HV, M]: the layer makes it log_sigmoid of a projection over a damping factor of 8. What "
        "is written to slots is 1 - exp(g), as the layer has it; flash-linear-attention's operator takes it as s."};

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Of the catalogue: the gated attention of GateControl.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// o_t = sigmoid(g_t) relu(q_t) S / (relu(q_t) z + 1e-15),   S = sum_s relu(k_s)^T v_s,   z = sum_s relu(k_s)
inline constexpr auto gate_control = variant("gate_control")
                                         .feature_map(relu)
                                         .scale(1)
                                         .non_causal()
                                         .output(sigmoid(input("g", value_head_axis)) * read())
                                         .normalised(1e-15)
                                         .checked();
inline constexpr Source gate_control_source{
    .about = "lite_la with a gate of each output token",
    .title =
        "Gated Condition Injection without Multimodal Attention: Towards Controllable Linear-Attention "
        "Transformers",
    .authors = "Liu et al.",
    .arxiv = "2603.27666",
    .open =
        "Image and condition are the caller's segments of one sequence, and so is the sum of their outputs. "
        "The paper has one gate a token: give it to each head. It takes its linear attention from SANA."};

}  // namespace rankone::variants

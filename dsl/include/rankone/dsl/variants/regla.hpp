// SPDX-License-Identifier: MIT
// Of the catalogue: the attention of the vision model ReGLA.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// o_t = sigmoid(g_t) * relu(q_t) S / (relu(q_t) z + 1e-15),   S = sum_s relu(k_s)^T v_s,   z = sum_s relu(k_s)
inline constexpr auto regla = variant("regla")
                                  .feature_map(relu)
                                  .scale(1)
                                  .non_causal()
                                  .output(read() * sigmoid(input("g")))
                                  .normalised(1e-15)
                                  .checked();
inline constexpr Source regla_source{
    .about = "linear attention over all tokens of an image, with a gate of each output element",
    .title = "ReGLA: Efficient Receptive-Field Modeling with Gated Linear Attention Network",
    .authors = "Li et al.",
    .arxiv = "2602.05262",
    .open =
        "No code is published, and details are open: that the gate is a sigmoid of logits, and the "
        "normaliser, are assumptions."};

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Of the catalogue: the image attention of EDiT.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S = sum_s relu(k_s)^T v_s,   z = sum_s relu(k_s),   o_t = relu(q_t) S / (relu(q_t) z + 1e-15),   Tk = T / 4
inline constexpr auto edit = variant("edit").feature_map(relu).scale(1).non_causal().normalised(1e-15).checked();
inline constexpr Source edit_source{
    .about = "lite_la with a key for every four queries",
    .title = "EDiT: Efficient Diffusion Transformers with Linear Compressed Attention",
    .authors = "Becker et al.",
    .arxiv = "2503.16726",
    .open =
        "Tk = T / 4, and the convolutions that compress keys and values, are the call's. So is softmax "
        "attention to prompts. The paper's formula has no epsilon."};

}  // namespace rankone::variants

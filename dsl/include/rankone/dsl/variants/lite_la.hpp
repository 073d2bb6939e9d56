// SPDX-License-Identifier: MIT
// Of the catalogue: the linear attention of SANA.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S = sum_s relu(k_s)^T v_s,   z = sum_s relu(k_s),   o_t = relu(q_t) S / (relu(q_t) z + 1e-15). Heads have K = V = 32.
inline constexpr auto lite_la = variant("lite_la").feature_map(relu).scale(1).non_causal().normalised(1e-15).checked();
inline constexpr Source lite_la_source{
    .about = "linear attention over all tokens of an image, with a normaliser",
    .title = "SANA: Efficient High-Resolution Image Synthesis with Linear Diffusion Transformers",
    .authors = "Xie et al.",
    .arxiv = "2410.10629",
    .open = "The epsilon is that of its code. Convolutions around it are the caller's. There is no scale."};

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Of the catalogue: Lightning attention.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = exp(-(8 / H) (1 - layer / layers) h) S_{t-1} + k_t^T v_t
inline constexpr auto lightning =
    variant("lightning").decay(constant(-8 / heads() * (1 - scalar("layer") / scalar("layers")) * head())).checked();
inline constexpr Source lightning_source{
    .about = "a constant decay for each head, slower in later layers",
    .title = "Lightning Attention-2: A Free Lunch for Handling Unlimited Sequence Lengths in Large Language Models",
    .authors = "Qin et al.",
    .arxiv = "2401.04658",
    .open =
        "The slopes are those that flash-linear-attention computes; activations of q and k are "
        "the caller's. K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants

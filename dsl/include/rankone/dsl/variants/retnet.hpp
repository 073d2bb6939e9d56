// SPDX-License-Identifier: MIT
// Of the catalogue: RetNet.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = (1 - 2^(-5 - h)) S_{t-1} + k_t^T v_t
inline constexpr auto retnet =
    variant("retnet").decay(constant(log(1 - exp(-0.6931471805599453 * (5 + head()))))).checked();
inline constexpr Source retnet_source{
    .about = "a constant decay for each head",
    .title = "Retentive Network: A Successor to Transformer for Large Language Models",
    .authors = "Sun et al.",
    .arxiv = "2307.08621",
    .open = "The rotation of q and k is the caller's. K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants

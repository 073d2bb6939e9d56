// SPDX-License-Identifier: MIT
// Of the catalogue: gated linear attention, gates included.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = Diag(sigmoid(x_t)^(1/16)) S_{t-1} + k_t^T v_t
inline constexpr auto gla_sigmoid = variant("gla_sigmoid").decay(per_key(log_sigmoid(input("x")) / 16)).checked();
inline constexpr Source gla_sigmoid_source{
    .about = "gated linear attention, its gate computed from logits",
    .title = "Gated Linear Attention Transformers with Hardware-Efficient Training",
    .authors = "Yang et al.",
    .arxiv = "2312.06635",
    .open =
        "The paper's equations have no scale: K^-0.5 is flash-linear-attention's scale. The "
        "projection of its gate and the bias are the caller's."};

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Of the catalogue: gated retention, of YOCO.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = sigmoid(x_t)^(1/16) S_{t-1} + k_t^T v_t
inline constexpr auto gated_retention =
    variant("gated_retention").decay(per_head(log_sigmoid(input("x")) / 16)).checked();
inline constexpr Source gated_retention_source{
    .about = "one learned gate for each head and token",
    .title = "You Only Cache Once: Decoder-Decoder Architectures for Language Models",
    .authors = "Sun et al.",
    .arxiv = "2405.05254",
    .open = "The temperature of the gate is 16, as in gated linear attention."};

}  // namespace rankone::variants

// SPDX-License-Identifier: MIT
// Of the catalogue: decaying fast weights.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = (alpha_t^T beta_t) * S_{t-1} + k_t^T v_t,   alpha_t = sigmoid(a_t) [HV, K],   beta_t = sigmoid(b_t) [HV, V].
inline constexpr auto dfw = variant("dfw").decay(outer(log_sigmoid(input("a")), log_sigmoid(input("b")))).checked();
inline constexpr Source dfw_source{.about = "a decay for each key times one for each value column",
                                   .title = "Fine-Tuning Pre-trained Transformers into Decaying Fast Weights",
                                   .authors = "Mao",
                                   .arxiv = "2210.04243",
                                   .open = "The gates are those of table 1 of arXiv 2312.06635."};

}  // namespace rankone::variants

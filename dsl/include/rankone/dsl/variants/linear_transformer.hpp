// SPDX-License-Identifier: MIT
// Of the catalogue: the linear Transformer.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = S_{t-1} + phi(k_t)^T v_t,   z_t = z_{t-1} + phi(k_t),   o_t = phi(q_t) S_t / (phi(q_t) z_t + 1e-6),   phi = elu + 1
inline constexpr auto linear_transformer = variant("linear_transformer")
                                               .feature_map(relu(element()) + exp(min(element(), 0)))
                                               .scale(1)
                                               .normalised(1e-6)
                                               .checked();
inline constexpr Source linear_transformer_source{
    .about = "linear attention with the feature map elu + 1 and a normaliser",
    .title = "Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention",
    .authors = "Katharopoulos et al.",
    .arxiv = "2006.16236",
    .open = "The paper's formula has no epsilon: 1e-6 is that of the authors' implementation. There is no scale."};

}  // namespace rankone::variants

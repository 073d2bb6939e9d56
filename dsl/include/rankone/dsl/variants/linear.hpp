// SPDX-License-Identifier: MIT
// Of the catalogue: linear attention.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = S_{t-1} + k_t^T v_t
inline constexpr auto linear = variant("linear").checked();
inline constexpr Source linear_source{
    .about = "linear attention without decay",
    .title = "Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention",
    .authors = "Katharopoulos et al.",
    .arxiv = "2006.16236",
    .open =
        "The feature map elu + 1 and the normaliser of the paper are left out. "
        "K^-0.5 is flash-linear-attention's scale."};

}  // namespace rankone::variants

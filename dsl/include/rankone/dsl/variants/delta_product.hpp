// SPDX-License-Identifier: MIT
// Of the catalogue: DeltaProduct.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_{t,0} = exp(g_t) S_{t-1},   S_{t,r} = (I - beta_{t,r} k_{t,r}^T k_{t,r}) S_{t,r-1} + beta_{t,r} k_{t,r}^T v_{t,r},
// r = 1, 2,   S_t = S_{t,2}
inline constexpr auto delta_product =
    variant("delta_product").decay(per_head(input("g"))).erase(input("beta")).steps(2).checked();
inline constexpr Source delta_product_source{
    .about = "two delta rules a token, so that what they do to a key is a product of two reflections",
    .title = "DeltaProduct: Improving State-Tracking in Linear RNNs via Householder Products",
    .authors = "Siems et al.",
    .arxiv = "2502.10297",
    .open =
        "The number of steps is the model's: two here, others are a declaration of one line. Keys are as given: normalize "
        "them before. beta is given behind its sigmoid, or twice that. Without its gate: g of zeros."};

}  // namespace rankone::variants

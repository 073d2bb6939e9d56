// SPDX-License-Identifier: MIT
// Of the catalogue: the Performer.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// S_t = S_{t-1} + exp(k_t)^T v_t,   z_t = z_{t-1} + exp(k_t),   o_t = exp(q_t) S_t / (exp(q_t) z_t + 1e-6)
inline constexpr auto performer = variant("performer").feature_map(exp(element())).scale(1).normalised(1e-6).checked();
inline constexpr Source performer_source{
    .about = "positive random features of the softmax kernel, with a normaliser",
    .title = "Rethinking Attention with Performers",
    .authors = "Choromanski et al.",
    .arxiv = "2009.14794",
    .open =
        "q and k are the caller's projections w x - |x|^2 / 2 of d^-0.25 times queries and keys x, w the K random features. "
        "The features' factor K^-0.5 cancels, but beside epsilon."};

}  // namespace rankone::variants

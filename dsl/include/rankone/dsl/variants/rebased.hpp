// SPDX-License-Identifier: MIT
// Of the catalogue: ReBased.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// phi(x) = x^T x / sqrt(K),   S_t = S_{t-1} + phi(k_t)^T v_t,   o_t = phi(q_t) S_t / sum_s phi(q_t).phi(k_s)
// The score of a query and a key is (q.k)^2 / K.
inline constexpr auto rebased =
    variant("rebased").feature_map(element() * other() / sqrt(keys())).scale(1).normalised(1e-6).checked();
inline constexpr Source rebased_source{
    .about = "squares of products as scores, normalised",
    .title = "Linear Transformers with Learnable Kernel Functions are Better In-Context Models",
    .authors = "Aksenov et al.",
    .arxiv = "2402.10644",
    .open =
        "q and k come behind the layer's normalisation with its learned scale and shift. The scale K^-0.5 within the square "
        "and the epsilon are flash-linear-attention's."};

}  // namespace rankone::variants

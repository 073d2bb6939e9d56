// SPDX-License-Identifier: MIT
// Of the catalogue: Based.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// phi(x) = [1, x / K^1/4, x^T x / sqrt(2 K)],   S_t = S_{t-1} + phi(k_t)^T v_t,   o_t = phi(q_t) S_t / sum_s phi(q_t).phi(k_s)
// The score of a query and a key is 1 + s + s^2 / 2, s = q.k K^-0.5.
inline constexpr auto based = variant("based").feature_map(taylor).scale(1).normalised(1e-6).checked();
inline constexpr Source based_source{
    .about = "the Taylor series of softmax attention's scores, to second order, normalised",
    .title = "Simple Linear Attention Language Models Balance the Recall-Throughput Tradeoff",
    .authors = "Arora et al.",
    .arxiv = "2402.18668",
    .open =
        "q and k come projected, to K = 16 in the paper; its sliding-window attention is a layer of its own. The epsilon is "
        "flash-linear-attention's."};

}  // namespace rankone::variants

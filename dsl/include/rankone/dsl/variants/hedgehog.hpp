// SPDX-License-Identifier: MIT
// Of the catalogue: Hedgehog.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// phi(x) = [softmax(x), softmax(-x)],   S_t = S_{t-1} + phi(k_t)^T v_t,   o_t = phi(q_t) S_t / sum_s phi(q_t).phi(k_s)
inline constexpr auto hedgehog = variant("hedgehog")
                                     .feature_map(concatenate(softmax(element()), softmax(-element())))
                                     .scale(1)
                                     .normalised(1e-6)
                                     .checked();
inline constexpr Source hedgehog_source{
    .about = "softmaxes of a learned projection and of its negative, side by side, normalised",
    .title = "The Hedgehog & the Porcupine: Expressive Linear Attentions with Softmax Mimicry",
    .authors = "Zhang et al.",
    .arxiv = "2402.04347",
    .open =
        "q and k come projected by the layer's own learned maps, which their distillation is left to. "
        "flash-linear-attention's layer takes one softmax over both halves, of 2 x. The epsilon is ours."};

}  // namespace rankone::variants

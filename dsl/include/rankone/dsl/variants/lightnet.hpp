// SPDX-License-Identifier: MIT
// Of the catalogue: LightNet.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// c_t = log(exp(c_{t-1}) + exp(k_t)),   S_t = Diag(exp(c_{t-1} - c_t)) S_{t-1} + exp(k_t - c_t)^T v_t,   o_t = scale q_t S_t:
// along the tokens each key's weights are a softmax
inline constexpr auto lightnet = variant("lightnet")
                                     .cumulative_log_sum_exp(key())
                                     .decay(per_key(scanned_before() - scanned()))
                                     .key(exp(key() - scanned()))
                                     .checked();
inline constexpr Source lightnet_source{
    .about = "additive decays: each key's weights are a softmax over the tokens so far",
    .title = "You Only Scan Once: Efficient Multi-dimension Sequential Modeling with LightNet",
    .authors = "Qin et al.",
    .arxiv = "2405.21022",
    .open = "q and k are as given: the activation of the query and the norms are the layer's."};

}  // namespace rankone::variants

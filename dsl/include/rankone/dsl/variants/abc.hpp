// SPDX-License-Identifier: MIT
// Of the catalogue: attention with bounded-memory control.
#pragma once

#include <rankone/dsl/declare.hpp>
#include <rankone/dsl/source.hpp>

namespace rankone::variants {

// c_t = log(exp(c_{t-1}) + exp(s_t)),   a_t = exp(c_{t-1} - c_t),   w_t = exp(s_t - c_t),
// A_t = A_{t-1} Diag(a_t) + k_t^T w_t,   p_t = K^-0.5 q_t A_t,   B_t = Diag(a_t) B_{t-1} + w_t^T v_t,   o_t = softmax(p_t) B_t:
// each slot holds a mean of the tokens so far, whose weights are a softmax
inline constexpr auto abc = variant("abc")
                                .cumulative_log_sum_exp(input("s"))
                                .decay(per_value(scanned_before() - scanned()))
                                .value(exp(input("s") - scanned()))
                                .then(second_pass()
                                          .decay(per_key(scanned_before() - scanned()))
                                          .key(exp(input("s") - scanned()))
                                          .query(softmax(passed())))
                                .checked();
inline constexpr Source abc_source{
    .about = "slots that are softmax-weighted means of the tokens so far, read by a softmax over them",
    .title = "ABC: Attention with Bounded-memory Control",
    .authors = "Peng et al.",
    .arxiv = "2110.02488",
    .open =
        "s is the logit of a token's write to each slot, [B, T, HV, M], a projection that is the layer's; "
        "flash-linear-attention clamps it to -32 .. 32, which is the caller's."};

}  // namespace rankone::variants
